"""Name who acted, and begin the trail with whoever runs this."""

import sqlalchemy as sa
from alembic import op
from corehost_example_audit import actor

revision = "2be84f0d9a31"
down_revision = "96d0c3f7b1e2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; its default stays, since older instances go on writing rows without it."""
    op.add_column("events", sa.Column("actor", sa.Text(), server_default="unknown", nullable=False))

    events = sa.table("events", sa.column("kind", sa.Text), sa.column("actor", sa.Text))
    # corehost: ignore[data-with-ddl] one row: the table is locked no longer for it
    op.bulk_insert(events, [{"kind": "trail.begun", "actor": actor.current()}])


def downgrade() -> None:
    """Drop the column; its names are lost."""
    op.drop_column("events", "actor")
