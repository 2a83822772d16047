"""Steps and branches.

``step`` has a row for every attempt to run a revision, ``branch`` one for every version table that
corehost has ever written, with the rows that it left there.
"""

from alembic import op

revision = "0001"
down_revision = None
depends_on = None
branch_labels = None
phase = "expand"

STATEMENTS = (
    """
    CREATE TABLE corehost.step (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      schema_name text NOT NULL,
      version_table text NOT NULL,
      branch text NOT NULL,
      revision text NOT NULL,
      action text NOT NULL DEFAULT 'upgrade',
      outcome text NOT NULL,
      open boolean NOT NULL DEFAULT false,
      partial boolean NOT NULL DEFAULT false,
      attempt integer NOT NULL DEFAULT 1,
      parents text[] NOT NULL DEFAULT '{}',
      depends_on text[] NOT NULL DEFAULT '{}',
      required text[] NOT NULL DEFAULT '{}',
      phase text,
      distribution text,
      version text,
      corehost_version text,
      pass_id uuid,
      host text,
      pid integer,
      backend_pid integer,
      started_at timestamptz NOT NULL DEFAULT now(),
      finished_at timestamptz,
      duration_ms double precision,
      error text
    )
    """,
    "CREATE INDEX step_revision ON corehost.step (schema_name, version_table, revision)",
    "CREATE INDEX step_open ON corehost.step (schema_name, version_table) WHERE open",
    """
    CREATE TABLE corehost.branch (
      schema_name text NOT NULL,
      version_table text NOT NULL,
      branch text NOT NULL,
      heads text[] NOT NULL,
      distribution text,
      version text,
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (schema_name, version_table)
    )
    """,
    "COMMENT ON TABLE corehost.step IS 'every attempt to run a revision: by whom, from where, how long'",
    "COMMENT ON COLUMN corehost.step.open IS 'failed, or begun and not finished, and not settled since'",
    "COMMENT ON COLUMN corehost.step.partial IS 'a part of it is committed, or may be, before its end'",
    "COMMENT ON COLUMN corehost.step.attempt IS 'which failure in a row of this revision, from 1'",
    "COMMENT ON TABLE corehost.branch IS 'every version table that corehost has written, and what it left'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
