"""Add when a user was last seen and when deactivated."""

import sqlalchemy as sa
from alembic import op

revision = "d94c0b7e6f18"
down_revision = "8b1d40e6a7c2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two nullable columns: no rewrite, and older instances go on writing rows without them."""
    op.add_column("users", sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop both columns."""
    op.drop_column("users", "deactivated_at")
    op.drop_column("users", "last_seen_at")
