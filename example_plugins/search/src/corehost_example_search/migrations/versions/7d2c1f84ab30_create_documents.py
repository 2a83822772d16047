"""Create documents: what can be found."""

import sqlalchemy as sa
from alembic import op

revision = "7d2c1f84ab30"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "documents",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "reference", name="pk_documents"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("documents")
