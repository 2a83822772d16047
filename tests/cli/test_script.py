"""``corehost migrate --sql``: what a pass would send, as a script that does the same by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.packages import create_table, revision_source
from support.shop import Shop

from ..conftest import DatabaseFactory
from ..faults.conftest import result_of

FIRST = """\
op.create_table(
    "orders",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("note", sa.Text, server_default="50% off: 'a'"),
)
op.execute(sa.text("INSERT INTO orders (id, note) VALUES (:id, :note)").bindparams(id=1, note="it's 5%:x"))"""
CONCURRENTLY = """\
op.add_column("orders", sa.Column("customer", sa.Integer))
with op.get_context().autocommit_block():
    op.create_index("orders_customer", "orders", ["customer"], postgresql_concurrently=True)
op.execute("ANALYZE orders")"""


def install(shop: Shop) -> None:
    """Two plugins; one needs the other, one has a step that is more than one transaction."""
    shop.install(
        "orders",
        {
            "o1": revision_source("o1", upgrade=FIRST, message="Make orders"),
            "o2": revision_source("o2", "o1", upgrade=CONCURRENTLY),
        },
        extensions=("pg_trgm",),
    )
    shop.install(
        "bills", {"b1": revision_source("b1", depends_on="orders@o1", upgrade=create_table("bills"))}
    )


def psql(bindir: Path, url: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as an administrator does."""
    return subprocess.run(
        [bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"],
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_script_does_what_the_pass_does(
    shop: Shop, database_factory: DatabaseFactory, bindir: Path
) -> None:
    """Schema, version rows and what the ledger has applied are the same; nothing is pending then."""
    install(shop)
    script = shop.run("migrate", "--sql").stdout
    assert not shop.has_table("corehost.step")
    done = psql(bindir, shop.database, script)
    assert done.returncode == 0, done.stderr
    assert shop.run("check").returncode == 0
    other = database_factory()
    assert shop.run("migrate", database=other).returncode == 0
    assert result_of(shop.database, bindir) == result_of(other, bindir)
    assert shop.execute("SELECT note FROM orders.orders") == [("it's 5%:x",)]
    assert shop.execute("SELECT count(*) FROM corehost.step WHERE open") == [(0,)]
    assert shop.advisory_locks() == 0


def test_a_script_that_is_out_of_date_changes_nothing(shop: Shop, bindir: Path) -> None:
    """Run when the rows are not those any more that it was written for, it ends at its first check."""
    shop.install("orders", {"o1": revision_source("o1", upgrade='op.execute("SELECT 1")')})
    shop.run("migrate")
    shop.install("bills", {"b1": revision_source("b1", upgrade='op.execute("CREATE TABLE b (id int)")')})
    script = shop.run("migrate", "--sql").stdout
    assert "orders@o1" not in script
    shop.run("migrate")
    shop.execute("DROP TABLE bills.b")
    done = psql(bindir, shop.database, script)
    assert done.returncode == 3
    assert "rows changed" in done.stderr
    assert not shop.has_table("bills.b")


def test_a_script_meets_a_pass(shop: Shop, bindir: Path) -> None:
    """While somebody holds the lock of a namespace nothing is done in it."""
    shop.install("orders")
    script = shop.run("migrate", "--sql").stdout
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (lock_key("orders"),))
        done = psql(bindir, shop.database, script)
    assert done.returncode == 3
    assert "somebody else is at work on schema orders" in done.stderr
    assert not shop.has_table("orders.orders")


@pytest.mark.parametrize(
    ("upgrade", "line"),
    [
        ('rows = op.get_bind().execute(sa.text("SELECT 1")).scalar()', 13),
        ('op.execute("SELECT 1")\nsa.inspect(op.get_bind())', 14),
        ('import corehost\nfor batch in corehost.batches("orders"):\n    pass', 14),
    ],
    ids=["asks", "inspects", "batches"],
)
def test_a_revision_that_asks_the_database_has_no_script(shop: Shop, upgrade: str, line: int) -> None:
    """Exit 1, with the file and the line where it asks; nothing of a script is written."""
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    finished = shop.run("migrate", "--sql", "--json")
    assert finished.returncode == 1
    error = finished.json()["error"]
    assert (error["code"], error["branch"], error["revision"]) == ("no_script", "orders", "o1")
    assert error["file"].endswith(f"o1.py:{line}")
    assert shop.run("migrate", "--sql").stdout == ""


def test_nothing_to_do_is_a_script_of_comments(shop: Shop, bindir: Path) -> None:
    """It may be run all the same."""
    shop.install("orders")
    shop.run("migrate")
    script = shop.run("migrate", "--sql").stdout
    assert all(line.startswith("--") for line in script.splitlines())
    assert psql(bindir, shop.database, script).returncode == 0
