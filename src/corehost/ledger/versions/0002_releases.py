"""Releases, and the revisions that they know.

Old and new code run side by side: ``release`` says which branches' heads a digest stands for, ``revision``
what each revision that some code knew descends from, and whether older code can bear it. ``step`` says
which release applied a revision, and whether its source dropped or narrowed data.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
depends_on = None
branch_labels = None
phase = "expand"

STATEMENTS = (
    "ALTER TABLE corehost.step ADD COLUMN destructive boolean, ADD COLUMN release text",
    """
    CREATE TABLE corehost.revision (
      schema_name text NOT NULL,
      version_table text NOT NULL,
      revision text NOT NULL,
      parents text[] NOT NULL,
      depends_on text[] NOT NULL,
      phase text,
      destructive boolean,
      distribution text,
      version text,
      recorded_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (schema_name, version_table, revision)
    )
    """,
    """
    CREATE TABLE corehost.release (
      digest text PRIMARY KEY,
      recorded_at timestamptz NOT NULL DEFAULT now(),
      seen_at timestamptz,
      unseen_at timestamptz
    )
    """,
    """
    CREATE TABLE corehost.release_branch (
      digest text NOT NULL,
      schema_name text NOT NULL,
      version_table text NOT NULL,
      branch text NOT NULL,
      heads text[] NOT NULL,
      distribution text,
      version text,
      PRIMARY KEY (schema_name, version_table, digest)
    )
    """,
    "CREATE INDEX release_branch_digest ON corehost.release_branch (digest)",
    "COMMENT ON COLUMN corehost.step.destructive IS 'its source drops or narrows data'",
    "COMMENT ON COLUMN corehost.step.release IS 'the digest of the code that applied it'",
    "COMMENT ON TABLE corehost.revision IS 'every revision that some code has known, applied or not'",
    "COMMENT ON COLUMN corehost.revision.parents IS 'what it needs inside its branch'",
    "COMMENT ON TABLE corehost.release IS 'code that has run on this database, by the digest of its heads'",
    "COMMENT ON COLUMN corehost.release.seen_at IS 'when an instance of it was last seen to be present'",
    "COMMENT ON COLUMN corehost.release.unseen_at IS 'when one served that could hold no presence'",
    "COMMENT ON TABLE corehost.release_branch IS 'the heads that a release has of each of its branches'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
