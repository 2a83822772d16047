"""Compare e-mail addresses without regard to case."""

import sqlalchemy as sa
from alembic import op

revision = "c57e2f9013ab"
down_revision = "8b1d40e6a7c2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the unique constraint; two addresses that differ in case only end the step here."""
    op.execute("UPDATE users SET email = btrim(email) WHERE email <> btrim(email)")
    op.create_index("uq_users_lower_email", "users", [sa.text("lower(email)")], unique=True)
    op.drop_constraint("uq_users_email", "users", type_="unique")


def downgrade() -> None:
    """Restore the constraint on the address as written."""
    op.create_unique_constraint("uq_users_email", "users", ["email"])
    op.drop_index("uq_users_lower_email", table_name="users")
