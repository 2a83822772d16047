"""Create entries, which are to take the place of points, and keep both the same whoever writes."""

import sqlalchemy as sa
from alembic import op

revision = "p2"
down_revision = "p1"
phase = "expand"

COPY = """
CREATE FUNCTION loyalty.copy_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO loyalty.{name} (customer, {value}) VALUES (NEW.customer, NEW.{given})
  ON CONFLICT (customer) DO UPDATE SET {value} = excluded.{value};
  RETURN NULL;
END $$"""
TRIGGER = """
CREATE TRIGGER copy AFTER INSERT OR UPDATE ON loyalty.{name}
FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION loyalty.copy_{other}()"""


def upgrade() -> None:
    """Make the table, the triggers, and copy what is there."""
    op.create_table(
        "entries",
        sa.Column("customer", sa.Text, sa.ForeignKey("core.customers.id"), primary_key=True),
        sa.Column("units", sa.BigInteger, nullable=False),
    )
    op.execute(COPY.format(name="entries", value="units", given="amount"))
    op.execute(COPY.format(name="points", value="amount", given="units"))
    op.execute(TRIGGER.format(name="points", other="entries"))
    op.execute(TRIGGER.format(name="entries", other="points"))
    op.execute("INSERT INTO loyalty.entries SELECT customer, amount FROM loyalty.points")
