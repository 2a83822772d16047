"""Add a note, on the line of expanding revisions."""

import sqlalchemy as sa
from alembic import op

revision = "c4"
down_revision = "c3"
phase = "expand"


def upgrade() -> None:
    """Add the column."""
    op.add_column("customers", sa.Column("note", sa.Text))
