"""Index unpaid invoices, without stopping writes to the table."""

import sqlalchemy as sa
from alembic import op

revision = "e4f1927b60d3"
down_revision = "a06d3c88e15b"
branch_labels = None
depends_on = None

retry_safe = True
# A build that waits for old transactions stops nobody; one that is cut off leaves an INVALID index.
lock_timeout = "0s"


def upgrade() -> None:
    """Build the index afresh: IF NOT EXISTS would be content with the INVALID one of a crash."""
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_invoices_unpaid",
            table_name="invoices",
            postgresql_concurrently=True,
            if_exists=True,
        )
        op.create_index(
            "ix_invoices_unpaid",
            "invoices",
            ["issued_at"],
            postgresql_where=sa.text("paid_at IS NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """Drop the index, without stopping writes either."""
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_invoices_unpaid",
            table_name="invoices",
            postgresql_concurrently=True,
            if_exists=True,
        )
