"""Take the spaces around e-mail addresses away."""

import corehost

revision = "64a8e3d05b7f"
down_revision = "d94c0b7e6f18"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go through the users in short transactions: sign-ins go on, and a crash begins nothing anew."""
    for batch in corehost.batches("users"):
        batch.execute(
            f"UPDATE users SET email = btrim(email) WHERE email <> btrim(email) AND {batch.condition}"
        )


def downgrade() -> None:
    """Leave the addresses as they are: nobody has kept the spaces."""
