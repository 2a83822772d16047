"""Drop the old name, on a line of its own: what expands does not wait for it."""

from alembic import op

revision = "c5"
down_revision = "c3"
phase = "contract"


def upgrade() -> None:
    """Drop trigger, function and column."""
    op.execute("DROP TRIGGER keep_names ON core.customers")
    op.execute("DROP FUNCTION core.keep_names()")
    op.drop_column("customers", "name")
    op.alter_column("customers", "full_name", nullable=False)
