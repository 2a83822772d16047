"""Add full_name, and keep both names the same whoever writes."""

import sqlalchemy as sa
from alembic import op

revision = "c2"
down_revision = "c1"
phase = "expand"

KEEP = """
CREATE FUNCTION core.keep_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.name IS DISTINCT FROM OLD.name THEN
    NEW.full_name := NEW.name;
  ELSIF TG_OP = 'UPDATE' AND NEW.full_name IS DISTINCT FROM OLD.full_name THEN
    NEW.name := NEW.full_name;
  END IF;
  NEW.full_name := coalesce(NEW.full_name, NEW.name);
  NEW.name := coalesce(NEW.name, NEW.full_name);
  RETURN NEW;
END $$"""


def upgrade() -> None:
    """Add the column, and the trigger."""
    op.add_column("customers", sa.Column("full_name", sa.Text))
    op.execute(KEEP)
    op.execute(
        "CREATE TRIGGER keep_names BEFORE INSERT OR UPDATE ON core.customers"
        " FOR EACH ROW EXECUTE FUNCTION core.keep_names()"
    )
