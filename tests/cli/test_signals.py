"""SIGINT and SIGTERM in the middle of things."""

from __future__ import annotations

import signal

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.ledger import REVISIONS
from support.packages import create_table, revision_source
from support.processes import wait_until
from support.shop import Shop

AT_ONCE = {"COREHOST_SHUTDOWN_GRACE": "100ms"}
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
SLEEPS = 'op.execute("SELECT pg_sleep(600)")'
SLEEPING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND state = 'active' AND query LIKE '%pg_sleep(600)%'
"""
OTHERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@SIGNALS
def test_cuts_a_step(shop: Shop, number: signal.Signals, code: int) -> None:
    """The step is cancelled and rolled back, its lock released, what was applied before reported."""
    second = revision_source("o2", "o1", upgrade=create_table("half") + "\n" + SLEEPS)
    shop.install("orders", {"o1": revision_source("o1", upgrade=create_table("orders")), "o2": second})
    migrating = shop.start("migrate", "--json", extra=AT_ONCE)
    wait_until(lambda: shop.execute(SLEEPING) or not migrating.running)
    migrating.send(number)
    finished = migrating.wait()
    assert finished.returncode == code
    wait_until(lambda: not shop.execute(OTHERS))
    assert shop.has_table("orders.orders")
    assert not shop.has_table("orders.half")
    document = finished.json()
    assert [one["revision"] for one in document["applied"]] == [*REVISIONS, "o1"]
    assert (document["ready"], document["error"]["code"]) == (False, "interrupted")
    assert finished.stderr.endswith(f"corehost: error: stopped by {number.name}\n")
    assert "Traceback" not in finished.stderr


def test_termination_lets_a_short_step_finish(shop: Shop) -> None:
    """After SIGTERM the step that runs may finish within shutdown_grace; the next one is not begun."""
    flag = shop.folder / "go"
    patient = f"""
import pathlib, time
{create_table("orders")}
op.execute("SELECT 1")
print("halfway", flush=True)
while not pathlib.Path({str(flag)!r}).exists():
    time.sleep(0.01)
"""
    later = revision_source("o2", "o1", upgrade=create_table("later"))
    shop.install("orders", {"o1": revision_source("o1", upgrade=patient), "o2": later})
    migrating = shop.start("migrate", "--json", extra={"COREHOST_SHUTDOWN_GRACE": "10min"})
    migrating.wait_for_output("halfway")
    migrating.send(signal.SIGTERM)
    flag.touch()
    finished = migrating.wait()
    assert finished.returncode == 143
    assert [one["revision"] for one in finished.json()["applied"]] == [*REVISIONS, "o1"]
    assert shop.has_table("orders.orders")
    assert not shop.has_table("orders.later")


@SIGNALS
def test_while_waiting_for_a_lock(shop: Shop, number: signal.Signals, code: int) -> None:
    """A pass that waits for somebody else ends at once."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        migrating = shop.start("migrate")
        migrating.wait_for_output("waiting for namespace 'orders'")
        migrating.send(number)
        assert migrating.wait().returncode == code


@SIGNALS
def test_of_wait(shop: Shop, number: signal.Signals, code: int) -> None:
    """A command that waits without a lock ends at once."""
    shop.install("orders")
    waiting = shop.start("wait")
    waiting.wait_for_output("not ready")
    waiting.send(number)
    assert waiting.wait().returncode == code


def test_that_a_revision_catches(shop: Shop) -> None:
    """A revision that catches everything does not keep the pass going after a signal."""
    upgrade = create_table("half") + f"\ntry:\n    {SLEEPS}\nexcept BaseException:\n    pass"
    later = revision_source("o2", "o1", upgrade=create_table("later"))
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade), "o2": later})
    migrating = shop.start("migrate", extra=AT_ONCE)
    wait_until(lambda: shop.execute(SLEEPING) or not migrating.running)
    migrating.send(signal.SIGTERM)
    assert migrating.wait().returncode == 143
    assert not shop.has_table("orders.half")
    assert not shop.has_table("orders.later")


def test_that_is_ignored(shop: Shop) -> None:
    """SIGINT stays ignored where the parent says so, as a shell does for what runs in the background."""
    shop.install("orders")
    waiting = shop.start("wait", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    waiting.wait_for_output("not ready")
    waiting.send(signal.SIGINT)
    shop.run("migrate")
    assert waiting.wait().returncode == 0


@SIGNALS
def test_before_the_command_line_is_loaded(shop: Shop, number: signal.Signals, code: int) -> None:
    """A signal that comes while corehost's own modules are imported gives its exit code, no traceback."""
    finished = shop.python(
        """
        import os, signal, sys

        class Sender:
            def find_spec(self, name, path=None, target=None):
                if name == "click":
                    os.kill(os.getpid(), int(sys.argv[1]))

        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.meta_path.insert(0, Sender())
        from corehost.cli import main
        sys.exit(main(["check"]))
        """,
        str(number.value),
    )
    assert (finished.returncode, finished.stderr) == (code, f"corehost: error: stopped by {number.name}\n")
