"""Drop points."""

from alembic import op

revision = "p3"
down_revision = "p2"
phase = "contract"


def upgrade() -> None:
    """Drop the triggers and the old table."""
    op.execute("DROP TRIGGER copy ON loyalty.entries")
    op.drop_table("points")
    op.execute("DROP FUNCTION loyalty.copy_points()")
    op.execute("DROP FUNCTION loyalty.copy_entries()")
