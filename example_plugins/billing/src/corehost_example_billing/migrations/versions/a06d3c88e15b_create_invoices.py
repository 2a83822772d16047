"""Create invoices."""

import sqlalchemy as sa
from alembic import op

revision = "a06d3c88e15b"
down_revision = "52b9e6f0c418"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the index that its foreign key needs when subscriptions are deleted."""
    op.create_table(
        "invoices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sa.UniqueConstraint("number", name="uq_invoices_number"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_invoices_subscription_id"
        ),
        sa.CheckConstraint("amount_cents >= 0", name="ck_invoices_amount_cents"),
    )
    op.create_index("ix_invoices_subscription_id", "invoices", ["subscription_id"])


def downgrade() -> None:
    """Drop the table, and its index with it."""
    op.drop_table("invoices")
