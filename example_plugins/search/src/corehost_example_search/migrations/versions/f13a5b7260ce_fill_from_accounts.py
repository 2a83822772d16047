"""Make the organisations that are there already findable."""

from alembic import op

import corehost

revision = "f13a5b7260ce"
down_revision = "b8e60947c15d"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Copy slugs and names, where accounts has its table; asked in SQL, so that --sql can print it."""
    try:
        schema = corehost.schema("accounts").replace("'", "''")
    except corehost.ConfigurationError:
        return  # not installed: nothing is there yet
    op.execute(
        f"""
        DO $fill$
        DECLARE
            source regclass = to_regclass(format('%I.organisations', '{schema}'));
        BEGIN
            IF source IS NOT NULL THEN
                EXECUTE format(
                    'INSERT INTO documents (kind, reference, title) '
                    'SELECT ''organisation'', slug, name FROM %s '
                    'ON CONFLICT DO NOTHING',
                    source
                );
            END IF;
        END
        $fill$
        """
    )


def downgrade() -> None:
    """Take out what came from accounts."""
    op.execute("DELETE FROM documents WHERE kind = 'organisation'")
