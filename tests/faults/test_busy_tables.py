"""A revision that cannot have its table's lock: it gives way, and comes back as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from support.packages import create_table, revision_source
from support.processes import wait_until
from support.shop import Shop

IMPATIENT = {"COREHOST_LOCK_TIMEOUT": "50ms"}
ADD = 'op.execute("INSERT INTO log VALUES (2)")\nop.add_column("orders", sa.Column("note", sa.Text))'
COLUMN = """
SELECT 1 FROM information_schema.columns WHERE table_schema = 'orders' AND column_name = 'note'"""
BLOCKED = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A shop whose orders has a second revision that alters a table after it wrote to another."""
    first = create_table("orders") + '\nop.execute("CREATE TABLE log (n int)")'
    shop.install("orders", {"1": revision_source("o1", upgrade=first)})
    assert shop.run("migrate").returncode == 0
    add(shop, ADD)
    return shop


def add(shop: Shop, upgrade: str, **attributes: object) -> None:
    """Write the second revision."""
    versions = shop.site / "orders" / "migrations" / "versions"
    (versions / "2.py").write_text(revision_source("o2", "o1", upgrade=upgrade, **attributes))


@contextmanager
def reader(shop: Shop) -> Iterator[psycopg.Connection]:
    """Somebody who has read the table and not ended his transaction."""
    with psycopg.connect(shop.database) as connection:
        connection.execute("SELECT * FROM orders.orders")
        yield connection


def test_the_whole_transaction_is_tried_again(busy: Shop) -> None:
    """It rolls back, backs off and runs from its beginning: what it did before the lock is there once."""
    with reader(busy) as connection:
        migrating = busy.start("migrate", extra=IMPATIENT)
        migrating.wait_for_output("attempt 3")
        connection.rollback()
        finished = migrating.wait()
    assert finished.returncode == 0, finished.stderr
    assert busy.execute("SELECT n FROM orders.log") == [(2,)]
    assert busy.execute(COLUMN) == [(1,)]
    assert busy.execute("SELECT outcome FROM corehost.step WHERE revision = 'o2'") == [("applied",)]


def test_it_gives_up_after_lock_attempts(busy: Shop) -> None:
    """Then the revision has failed: exit 1, nothing of it left."""
    with reader(busy):
        finished = busy.run("migrate", extra={**IMPATIENT, "COREHOST_LOCK_ATTEMPTS": "2"})
    assert finished.returncode == 1
    assert "lock timeout" in finished.stderr
    assert busy.execute("SELECT n FROM orders.log") == []


def test_readers_get_in_between_the_attempts(busy: Shop) -> None:
    """A new reader waits behind the ALTER no longer than lock_timeout, while the old one still reads."""
    with reader(busy):
        migrating = busy.start("migrate", extra={"COREHOST_LOCK_TIMEOUT": "300ms"})
        wait_until(lambda: busy.execute(BLOCKED))
        assert busy.execute("SELECT count(*) FROM orders.orders") == [(0,)]
        assert busy.execute(COLUMN) == []
        assert migrating.running
    assert migrating.wait().returncode == 0


def test_what_is_partly_committed_is_not_tried_again(busy: Shop) -> None:
    """A step that has committed a part and then cannot have a lock has failed, and is in doubt."""
    add(
        busy,
        'with op.get_context().autocommit_block():\n    op.execute("INSERT INTO log VALUES (1)")\n' + ADD,
    )
    with reader(busy):
        finished = busy.run("migrate", extra=IMPATIENT)
    assert finished.returncode == 1
    assert busy.execute("SELECT n FROM orders.log") == [(1,)]
    assert busy.run("migrate").returncode == 5


def test_a_deadlock_is_tried_again(busy: Shop) -> None:
    """The server picks the step as its victim: the step comes back when the other one is through."""
    add(busy, 'op.execute("LOCK TABLE log")\nop.execute("SELECT 1")\n' + ADD)
    with reader(busy) as connection:
        connection.execute("SET deadlock_timeout = '1min'")
        migrating = busy.start("migrate", extra={"COREHOST_LOCK_TIMEOUT": "0s"})
        wait_until(lambda: busy.execute(BLOCKED))
        connection.execute("SELECT * FROM orders.log")
        connection.rollback()
    finished = migrating.wait()
    assert finished.returncode == 0, finished.stderr
    assert "deadlock detected" in finished.stderr
