"""Create subscriptions of organisations, with one of their members as contact."""

import sqlalchemy as sa
from alembic import op

import corehost

revision = "52b9e6f0c418"
down_revision = "1c7e5ad0f923"
branch_labels = None
depends_on = "accounts@8b1d40e6a7c2"


def upgrade() -> None:
    """Create the table; search_path has no schema of other plugins, so theirs is written out."""
    accounts = corehost.schema("accounts")
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("price_code", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            [f"{accounts}.memberships.organisation_id", f"{accounts}.memberships.user_id"],
            name="fk_subscriptions_contact",
        ),
        sa.ForeignKeyConstraint(["price_code"], ["prices.code"], name="fk_subscriptions_price_code"),
    )
    op.create_index(
        "uq_subscriptions_running",
        "subscriptions",
        ["organisation_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the table, and its index with it."""
    op.drop_table("subscriptions")
