"""Create prices, and the one that everybody may have."""

import sqlalchemy as sa
from alembic import op

revision = "1c7e5ad0f923"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table with its first row."""
    prices = op.create_table(
        "prices",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), server_default="month", nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_prices"),
        sa.CheckConstraint("amount_cents >= 0", name="ck_prices_amount_cents"),
        sa.CheckConstraint("period IN ('month', 'year')", name="ck_prices_period"),
    )
    op.bulk_insert(prices, [{"code": "free", "amount_cents": 0, "currency": "EUR", "period": "month"}])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("prices")
