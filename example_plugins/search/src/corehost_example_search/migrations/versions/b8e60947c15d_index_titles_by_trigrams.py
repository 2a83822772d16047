"""Index titles by trigrams."""

from alembic import op

revision = "b8e60947c15d"
down_revision = "7d2c1f84ab30"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index; the operator class is found because the extension's schema is on search_path."""
    op.create_index(
        "ix_documents_title_trigrams",
        "documents",
        ["title"],
        postgresql_using="gin",
        postgresql_ops={"title": "gin_trgm_ops"},
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_documents_title_trigrams", table_name="documents")
