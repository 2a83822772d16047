"""What stock Alembic runs for a tree that is not run by its own package's env.py."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
