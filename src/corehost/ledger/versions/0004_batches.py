"""How far data migrations have come.

``batch`` has a row for every loop over batches of a step that has not ended yet.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
depends_on = None
branch_labels = None
phase = "expand"

STATEMENTS = (
    """
    CREATE TABLE corehost.batch (
      schema_name text NOT NULL,
      version_table text NOT NULL,
      revision text NOT NULL,
      loop integer NOT NULL,
      over text NOT NULL,
      last_key text[] NOT NULL,
      until_key text[] NOT NULL,
      batches bigint NOT NULL,
      rows_done bigint NOT NULL,
      finished boolean NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (schema_name, version_table, revision, loop)
    )
    """,
    "COMMENT ON TABLE corehost.batch IS 'how far the loops over batches of unfinished steps have come'",
    "COMMENT ON COLUMN corehost.batch.loop IS 'which loop of its revision, from 1'",
    "COMMENT ON COLUMN corehost.batch.over IS 'the table and the columns of its key'",
    "COMMENT ON COLUMN corehost.batch.last_key IS 'the key of the last row that is done, as JSON texts'",
    "COMMENT ON COLUMN corehost.batch.until_key IS 'the largest key when the loop began'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
