"""Compare e-mail addresses without regard to case."""

import sqlalchemy as sa
from alembic import op

revision = "c57e2f9013ab"
down_revision = "64a8e3d05b7f"
branch_labels = None
depends_on = None

phase = "contract"  # code of the release before writes addresses that differ in case only
retry_safe = True  # corehost drops an INVALID index of an attempt before the next one


def upgrade() -> None:
    """Replace the unique constraint; two addresses that differ in case only end the step here."""
    with op.get_context().autocommit_block():
        op.create_index(
            "uq_users_lower_email",
            "users",
            [sa.text("lower(email)")],
            unique=True,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
    # corehost: ignore[ban-drop-constraint] the index above takes its place, and allows less
    op.drop_constraint("uq_users_email", "users", type_="unique")


def downgrade() -> None:
    """Restore the constraint on the address as written."""
    op.create_unique_constraint("uq_users_email", "users", ["email"])
    op.drop_index("uq_users_lower_email", table_name="users")
