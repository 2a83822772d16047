"""Create points."""

import sqlalchemy as sa
from alembic import op

revision = "p1"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "points",
        sa.Column("customer", sa.Text, sa.ForeignKey("core.customers.id"), primary_key=True),
        sa.Column("amount", sa.Integer, nullable=False),
    )
