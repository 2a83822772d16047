"""Instances that wait, or that run a step which takes long: for eyes only."""

from alembic import op

revision = "0003"
down_revision = "0002"
depends_on = None
branch_labels = None

STATEMENTS = (
    """
    CREATE TABLE corehost.instance (
      id uuid PRIMARY KEY,
      host text NOT NULL,
      pid integer NOT NULL,
      state text NOT NULL,
      branch text,
      revision text,
      step integer,
      steps integer,
      rows_done bigint,
      rows_total bigint,
      message text,
      backend_pid integer,
      branches jsonb NOT NULL DEFAULT '{}',
      since timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "COMMENT ON TABLE corehost.instance IS 'who waits, or runs a step that takes long; stale after 30 s'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
