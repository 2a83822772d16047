"""Create memberships: which user is in which organisation."""

import sqlalchemy as sa
from alembic import op

revision = "8b1d40e6a7c2"
down_revision = "3f2a91c0d4e5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; its primary key serves look-ups by organisation, the index those by user."""
    op.create_table(
        "memberships",
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), server_default="member", nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "user_id", name="pk_memberships"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name="fk_memberships_organisation_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="CASCADE"),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name="ck_memberships_role"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])


def downgrade() -> None:
    """Drop the table, and its index with it."""
    op.drop_table("memberships")
