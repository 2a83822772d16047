"""Each exit code, of the commands that can end with it."""

from __future__ import annotations

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.ledger import REVISIONS
from support.packages import create_table, revision_source
from support.shop import UNREACHABLE, Shop

AT_ONCE = {"COREHOST_WAIT_TIMEOUT": "0s"}
LOOKING = ("plan", "status", "check", "history")


def test_done(shop: Shop) -> None:
    """0: migrated, and then there is nothing to do for any command."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    assert shop.has_table("orders.orders")
    for command in ("migrate", "check", "plan"):
        finished = shop.run(command)
        assert (finished.returncode, finished.stdout) == (0, "nothing to do\n")
    assert shop.run("wait", "--timeout", "0s").returncode == 0


def test_failed_migration(shop: Shop) -> None:
    """1: a revision failed; nothing of it stays, and the message names branch, revision and line."""
    upgrade = create_table("orders") + '\nop.execute("SELECT 1/0")'
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    finished = shop.run("migrate")
    assert finished.returncode == 1
    assert "branch 'orders', revision o1, distribution orders 1.0" in finished.stderr
    assert not shop.has_table("orders.orders")


def test_migration_that_exits(shop: Shop) -> None:
    """1: a revision that calls sys.exit(3) does not make the command say that something is pending."""
    upgrade = create_table("orders") + "\nraise SystemExit(3)"
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 1
    assert {one["branch"] for one in finished.json()["applied"]} == {"corehost"}
    assert not shop.has_table("orders.orders")


def test_pending(shop: Shop) -> None:
    """3: something is pending; the commands that merely report it give 0."""
    shop.install("orders")
    finished = shop.run("check")
    pending = f"{len(REVISIONS) + 1} revisions pending: corehost, orders\n"
    assert (finished.returncode, finished.stdout) == (3, pending)
    assert shop.run("status").returncode == 0
    assert shop.run("plan").returncode == 0


def test_timed_out(shop: Shop) -> None:
    """4: wait has seen something pending for as long as it was told to."""
    shop.install("orders")
    finished = shop.run("wait", "--timeout", "100ms")
    assert finished.returncode == 4
    assert "orders (1 pending" in finished.stderr


@pytest.mark.parametrize(
    ("options", "extra"), [(["--no-wait"], {}), ([], {"COREHOST_WAIT_TIMEOUT": "100ms"})]
)
def test_lock_is_held(shop: Shop, options: list[str], extra: dict[str, str]) -> None:
    """4: a lock is held by somebody, whom the message names; what can be done without it is done."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True, application_name="somebody") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        pid = connection.info.backend_pid
        finished = shop.run("migrate", "--json", *options, extra=extra)
    assert finished.returncode == 4
    assert {one["branch"] for one in finished.json()["applied"]} == {"corehost"}
    message = finished.json()["error"]["message"]
    assert f"namespace 'orders', held by pid {pid} (somebody)" in message


@pytest.mark.parametrize("command", [["check"], ["wait"], ["migrate"]])
def test_diverged(shop: Shop, command: list[str]) -> None:
    """5, at once: the database has a revision that nobody knows."""
    shop.install("orders")
    shop.run("migrate")
    shop.execute("UPDATE orders.alembic_version SET version_num = 'unknown'")
    finished = shop.run(*command)
    assert finished.returncode == 5
    assert "which this code does not know" in finished.stderr


def test_in_doubt(shop: Shop) -> None:
    """5: a part of a revision is committed; status says in_doubt and still gives 0."""
    upgrade = """\
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE orders.half ()")
    op.execute("SELECT 1/0")
"""
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    assert shop.run("migrate").returncode == 1
    for command in ("check", "wait", "migrate"):
        assert shop.run(command).returncode == 5, command
    finished = shop.run("status", "--json")
    assert finished.returncode == 0
    assert finished.json()["branches"][1]["state"] == "in_doubt"


def test_configuration_goes_before_the_database(shop: Shop) -> None:
    """2 before 6: a plugin that is wrong is told although the database cannot be reached either."""
    shop.install("broken", spec_source="None")
    assert shop.run("check", database=UNREACHABLE).returncode == 2


@pytest.mark.parametrize("command", LOOKING)
def test_unreachable(shop: Shop, command: str) -> None:
    """6, at once, of the commands that look."""
    shop.install("orders")
    finished = shop.run(command, database=UNREACHABLE)
    assert finished.returncode == 6
    assert "the database cannot be reached" in finished.stderr


@pytest.mark.parametrize("command", [["migrate"], ["migrate", "--no-wait"], ["wait", "--timeout", "0s"]])
def test_unreachable_until_the_timeout(shop: Shop, command: list[str]) -> None:
    """6 of the commands that keep trying, when their time is up."""
    shop.install("orders")
    assert shop.run(*command, database=UNREACHABLE, extra=AT_ONCE).returncode == 6


def test_refused(shop: Shop) -> None:
    """6: the server is there, the database is not."""
    shop.install("orders")
    finished = shop.run("status", "--database-url", shop.database.replace("/t_", "/no_"))
    assert finished.returncode == 6
    assert "does not exist" in finished.stderr


def test_keeps_trying(shop: Shop) -> None:
    """Migrate waits for a database that is not there yet, and then goes on."""
    shop.install("orders")
    name = shop.database.split("/t_")[1].split("?")[0]
    later = shop.database.replace(f"/t_{name}", f"/t_{name}_later")
    migrating = shop.start("migrate", "--json", database=later)
    migrating.wait_for_output("cannot be reached")
    shop.execute(f"CREATE DATABASE t_{name}_later")
    try:
        finished = migrating.wait()
        assert finished.returncode == 0
        assert finished.json()["waited_ms"] > 0
    finally:
        shop.execute(f"DROP DATABASE t_{name}_later WITH (FORCE)")


def test_help_and_version(shop: Shop) -> None:
    """0 for --help, of every command, and for --version."""
    assert shop.run("--version").stdout == "corehost 0.1.0\n"
    listed = shop.run("--help")
    assert listed.returncode == 0
    for command in ("migrate", "plan", "status", "check", "wait", "plugins", "graph", "history"):
        assert f"\n  {command} " in listed.stdout
        assert "--database-url" in shop.run(command, "--help").stdout
