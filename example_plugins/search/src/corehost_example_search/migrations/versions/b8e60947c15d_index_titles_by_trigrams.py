"""Index titles by trigrams, without stopping writes to the table."""

from alembic import op

revision = "b8e60947c15d"
down_revision = "7d2c1f84ab30"
branch_labels = None
depends_on = None

retry_safe = True  # corehost drops an INVALID index of an attempt before the next one


def upgrade() -> None:
    """Create the index; the operator class is found because the extension's schema is on search_path."""
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_documents_title_trigrams",
            "documents",
            ["title"],
            postgresql_using="gin",
            postgresql_ops={"title": "gin_trgm_ops"},
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_documents_title_trigrams", table_name="documents")
