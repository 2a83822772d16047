"""Create customers."""

import sqlalchemy as sa
from alembic import op

revision = "c1"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "customers", sa.Column("id", sa.Text, primary_key=True), sa.Column("name", sa.Text, nullable=False)
    )
