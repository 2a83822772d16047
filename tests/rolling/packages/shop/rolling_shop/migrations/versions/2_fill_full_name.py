"""Fill full_name where it is missing."""

from alembic import op

revision = "c3"
down_revision = "c2"
phase = "expand"


def upgrade() -> None:
    """Copy the old name."""
    op.execute("UPDATE core.customers SET full_name = name WHERE full_name IS NULL")
