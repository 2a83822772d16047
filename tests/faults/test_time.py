"""How long a pass waits, how long it may take, and who is named when that was too long."""

from __future__ import annotations

import psycopg

from corehost.core.namespace import lock_key
from support.packages import create_table, revision_source
from support.processes import wait_until
from support.shop import Shop

SHORT = {"COREHOST_WAIT_TIMEOUT": "1s"}
SLEEPING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND state = 'active' AND query LIKE '%pg_sleep%'"""


def sleeps(seconds: float) -> str:
    """The source of a revision that works in the server for so long."""
    return revision_source("o1", upgrade=f'{create_table("t")}\nop.execute("SELECT pg_sleep({seconds})")')


def test_waiting_for_somebody_who_works_is_not_timed_out(shop: Shop) -> None:
    """A holder in a statement longer than wait_timeout is progress: a long index build fails no fleet."""
    shop.install("orders", {"o1": sleeps(4)})
    holder = shop.start("migrate")
    wait_until(lambda: shop.execute(SLEEPING))
    waiting = shop.run("migrate", extra=SHORT)
    assert (waiting.returncode, holder.wait().returncode) == (0, 0), waiting.stderr


def test_a_holder_who_does_nothing_is_named(shop: Shop) -> None:
    """Nobody makes progress for wait_timeout: exit 4, the line has the holder's pid and application_name."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True, application_name="somebody") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        finished = shop.run("migrate", "--json", extra=SHORT)
        pid = connection.info.backend_pid
    assert finished.returncode == 4
    message = finished.json()["error"]["message"]
    assert f"pid {pid} (somebody)" in message
    assert "'orders'" in message


def test_others_are_finished_before_the_time_is_out(shop: Shop) -> None:
    """One namespace that cannot be had keeps no other one from being migrated."""
    shop.install("orders")
    shop.install("wiki")
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        finished = shop.run("migrate", "--json", extra=SHORT)
    assert finished.returncode == 4
    assert {one["branch"] for one in finished.json()["applied"]} == {"corehost", "wiki"}


def test_a_pass_that_takes_too_long_is_ended(shop: Shop) -> None:
    """After pass_timeout the running statement is cancelled and rolled back: exit 4."""
    shop.install("orders", {"o1": sleeps(600)})
    finished = shop.run("migrate", "--json", extra={"COREHOST_PASS_TIMEOUT": "1s"})
    assert finished.returncode == 4
    assert "longer than 1 s" in finished.json()["error"]["message"]
    assert not shop.has_table("orders.t")


def test_a_statement_that_takes_too_long_fails_its_revision(shop: Shop) -> None:
    """statement_timeout is PostgreSQL's own, for the statements of steps."""
    shop.install("orders", {"o1": sleeps(600)})
    finished = shop.run("migrate", extra={"COREHOST_STATEMENT_TIMEOUT": "200ms"})
    assert finished.returncode == 1
    assert "statement timeout" in finished.stderr
    assert not shop.has_table("orders.t")


SLEEPS = """
import time


@corehost.hookimpl
def corehost_step_finished(step, result):
    if step.node.branch == "accounts":
        time.sleep(2)
"""


def test_a_session_that_is_ended_between_two_steps_is_replaced(shop: Shop) -> None:
    """What comes between takes longer than holder_idle_timeout: nothing is lost, and the pass goes on."""
    shop.install("accounts", hooks=SLEEPS)
    shop.install("bills")
    finished = shop.run("migrate", extra={"COREHOST_HOLDER_IDLE_TIMEOUT": "500ms"})
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table("accounts.accounts")
    assert shop.has_table("bills.bills")
