"""Others in the same database: another host application, stock Alembic by hand, somebody who drops things."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.ledger import STEPS
from support.packages import create_table, revision_source
from support.processes import Process, Processes, wait_until
from support.shop import Shop

ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    connection.exec_driver_sql("SET search_path = orders, public")
    connection.commit()
    context.configure(connection=connection, version_table_schema="orders")
    with context.begin_transaction():
        context.run_migrations()
"""
CONFIG = """
[alembic]
script_location = {env}
version_locations = {versions}
path_separator = newline
sqlalchemy.url = {url}
"""
SHARED_HOLDERS = """
SELECT DISTINCT pid FROM pg_locks
WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
WAITS_FOR_A_FILE = """
import pathlib, time
print("halfway", flush=True)
while not pathlib.Path({flag!r}).exists():
    time.sleep(0.01)
"""


def other_shop(shop: Shop, processes: Processes, tmp_path: Path) -> Shop:
    """A second host application on the first one's database, with a site of its own."""
    site, folder = tmp_path / "other-site", tmp_path / "other-work"
    site.mkdir()
    folder.mkdir()
    return Shop(processes=processes, site=site, folder=folder, database=shop.database)


def test_two_hosts_share_what_both_have(shop: Shop, processes: Processes, tmp_path: Path) -> None:
    """Two hosts with overlapping plugin sets at once: each revision once, no failure."""
    other = other_shop(shop, processes, tmp_path)
    slow = create_table("t") + '\nop.execute("SELECT pg_sleep(0.2)")'
    for one, own in ((shop, "orders"), (other, "wiki")):
        one.install("accounts", {"a1": revision_source("a1", upgrade=slow)})
        one.install("search", {"s1": revision_source("s1", upgrade=slow)})
        one.install(own, requires=("accounts",))
    started = [one.start("migrate", "--json") for one in (shop, other, shop, other)]
    ended = [process.wait() for process in started]
    assert [one.returncode for one in ended] == [0, 0, 0, 0], [one.stderr for one in ended]
    applied = [f"{step['branch']}@{step['revision']}" for one in ended for step in one.json()["applied"]]
    assert sorted(applied) == sorted([*STEPS, "accounts@a1", "search@s1", "orders@orders1", "wiki@wiki1"])


def test_each_host_sees_the_other_ones_plugins_as_orphans(
    shop: Shop, processes: Processes, tmp_path: Path
) -> None:
    """What only the other one has installed does not matter to readiness."""
    other = other_shop(shop, processes, tmp_path)
    shop.install("orders")
    other.install("wiki")
    for one in (shop, other):
        assert one.run("migrate").returncode == 0
    document = shop.run("status", "--json").json()
    states = {branch["branch"]: branch["state"] for branch in document["branches"]}
    assert states == {"corehost": "current", "orders": "current", "wiki": "orphaned"}
    assert document["ready"] is True


def start_alembic(shop: Shop, *arguments: str) -> Process:
    """Start stock Alembic on the folder of ``orders``, which knows nothing of corehost and takes no lock."""
    env = shop.folder / "stock"
    env.mkdir(exist_ok=True)
    (env / "env.py").write_text(ENV)
    url = shop.database.replace("postgresql://", "postgresql+psycopg://").replace("%", "%%")
    versions = shop.site / "orders" / "migrations" / "versions"
    (env / "alembic.ini").write_text(CONFIG.format(env=env, versions=versions, url=url))
    code = "from alembic.config import main; main()"
    return shop.start("-c", str(env / "alembic.ini"), *arguments, program=[sys.executable, "-c", code])


@pytest.fixture
def meddled(shop: Shop) -> Shop:
    """A shop whose orders has a second revision that waits in its middle until the file ``go`` is there."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    flag = str(shop.folder / "go")
    patient = create_table("lines") + WAITS_FOR_A_FILE.format(flag=flag)
    versions = shop.site / "orders" / "migrations" / "versions"
    (versions / "o2.py").write_text(revision_source("o2", "orders1", upgrade=patient))
    return shop


def test_what_stock_alembic_applies_meanwhile_is_not_applied_again(shop: Shop) -> None:
    """Somebody has run "alembic upgrade" by hand: the pass goes on from there."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    versions = shop.site / "orders" / "migrations" / "versions"
    (versions / "o2.py").write_text(revision_source("o2", "orders1", upgrade=create_table("lines")))
    (versions / "o3.py").write_text(revision_source("o3", "o2", upgrade=create_table("notes")))
    finished = start_alembic(shop, "upgrade", "o2").wait()
    assert finished.returncode == 0, finished.stderr
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert [step["revision"] for step in finished.json()["applied"]] == ["o3"]


def test_version_rows_that_change_under_a_step_undo_it(meddled: Shop) -> None:
    """Rows changed by hand while a step runs: the step is rolled back, and the pass looks again."""
    migrating = meddled.start("migrate", "--json")
    migrating.wait_for_output("halfway")
    # what 'alembic stamp' does, which takes no lock
    meddled.execute("UPDATE orders.alembic_version SET version_num = 'o2'")
    (meddled.folder / "go").touch()
    finished = migrating.wait()
    assert finished.returncode == 0, finished.stderr
    assert finished.json()["applied"] == []
    assert "looking again" in finished.stderr
    assert not meddled.has_table("orders.lines")


def test_stock_alembic_finds_what_corehost_applied(shop: Shop) -> None:
    """Its 'upgrade head' finds nothing to do."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    finished = start_alembic(shop, "upgrade", "head").wait()
    assert finished.returncode == 0, finished.stderr
    assert "Running upgrade" not in finished.stderr


@pytest.mark.parametrize(
    "damage",
    [
        "DROP SCHEMA orders CASCADE",
        "ALTER SCHEMA orders RENAME TO orders_old",
        "DROP TABLE orders.alembic_version",
        "DELETE FROM orders.alembic_version",
    ],
)
def test_what_is_gone_is_never_made_again(shop: Shop, damage: str) -> None:
    """A schema or version table that is missing although the ledger knows it is diverged: exit 5, no DDL."""
    shop.install("orders")
    shop.install("wiki")
    assert shop.run("migrate").returncode == 0
    shop.execute(damage)
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 5
    assert finished.json()["error"]["branch"] == "orders"
    assert "ledger" in finished.json()["error"]["message"]
    states = {b["branch"]: b["state"] for b in shop.run("status", "--json").json()["branches"]}
    assert states == {"corehost": "current", "orders": "diverged", "wiki": "current"}
    if damage.startswith(("DROP SCHEMA", "ALTER")):
        assert shop.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'orders'") == []


def test_a_schema_that_is_dropped_under_a_running_step_ends_it(meddled: Shop) -> None:
    """The step cannot commit, is not run again on an empty schema, and the branch has diverged."""
    migrating = meddled.start("migrate", "--json")
    migrating.wait_for_output("halfway")
    with psycopg.connect(meddled.database, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA orders RENAME TO orders_old")
    (meddled.folder / "go").touch()
    finished = migrating.wait()
    assert finished.returncode in (1, 5), finished.stderr
    assert meddled.run("migrate").returncode == 5
    assert not meddled.has_table("orders.lines")


def test_shared_holders_do_not_starve_an_exclusive_one(shop: Shop) -> None:
    """While instances come and go with shared locks on a namespace, one that needs it for itself gets in."""
    shop.install("accounts")
    assert shop.run("migrate").returncode == 0
    sleep = 'op.execute("SELECT pg_sleep(1)")'
    for name in (f"p{number}" for number in range(24)):
        shop.install(name, {"1": revision_source(name, None, "accounts@accounts1", upgrade=sleep)})
    sharing = [shop.start("migrate") for _ in range(3)]
    wait_until(lambda: len(shop.execute(SHARED_HOLDERS)) >= 2)
    versions = shop.site / "accounts" / "migrations" / "versions"
    (versions / "2.py").write_text(revision_source("a2", "accounts1", upgrade=create_table("more")))
    late = shop.start("migrate", "--branch", "accounts").wait()
    assert late.returncode == 0, late.stderr
    assert shop.has_table("accounts.more")
    ((applied,),) = shop.execute("SELECT count(*) FROM corehost.step WHERE branch LIKE 'p%'")
    assert applied < 24
    assert [process.wait().returncode for process in sharing] == [0, 0, 0]


def test_a_ledger_that_is_dropped_while_others_wait_is_made_again(shop: Shop) -> None:
    """Whoever waits asks it whether somebody has got on."""
    shop.install("accounts")
    assert shop.run("migrate").returncode == 0
    shop.install("bills")
    with psycopg.connect(shop.database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (lock_key("bills"),))
        waiting = shop.start("migrate")
        waiting.wait_for_output("waiting for namespace 'bills'")
        holder.execute("DROP SCHEMA corehost CASCADE")
        time.sleep(1)  # some looks
        holder.execute("SELECT pg_advisory_unlock(%s)", (lock_key("bills"),))
        finished = waiting.wait()
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table("bills.bills")
