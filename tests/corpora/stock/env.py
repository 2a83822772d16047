"""What stock Alembic runs for a tree that is not run by its own package's env.py."""

from alembic import context

given = context.config.attributes
context.configure(
    **given.get("options", {}),
    connection=given["connection"],
    target_metadata=given.get("metadata"),
    version_table=given.get("version_table", "alembic_version"),
    transaction_per_migration=given.get("transaction_per_migration", False),
)
with context.begin_transaction():
    context.run_migrations()
