"""CREATE INDEX CONCURRENTLY waits for everybody's transactions: those of other instances, and of readers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from support.forked import Instance
from support.logged import plugin, recorded, revision
from support.packages import revision_source
from support.processes import wait_until

BUILD = """\
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS rows_id ON t1 (id)")"""
FILL = 'op.execute("INSERT INTO t1 SELECT generate_series(1, 200000)")'
BUILDING = """SELECT pid FROM pg_stat_progress_create_index
              WHERE phase LIKE 'waiting for%' AND datname = current_database()"""


@pytest.fixture
def plugins(site: Path) -> Path:
    """A plugin that fills a table and makes an index of it concurrently."""
    index = revision_source("accounts2", "accounts1", upgrade=BUILD, retry_safe=True)
    plugin(site, "accounts", revision("accounts", 1, FILL), index, revision("accounts", 3))
    return site


@contextmanager
def long_reader(url: str) -> Iterator[psycopg.Connection]:
    """A transaction with a snapshot of its own, which every index that is made now must wait for."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM pg_class")
        yield connection


def is_valid(url: str) -> bool:
    """Whether the index is there and of use."""
    with psycopg.connect(url) as connection:
        statement = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('accounts.rows_id')"
        return connection.execute(statement).fetchall() == [(True,)]


def test_an_index_is_built_beside_thirty_two_waiting_instances(
    logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """Nobody deadlocks with anybody: one attempt, a valid index, everybody ready."""
    instances += [Instance(logged, path=plugins) for _ in range(32)]
    assert [instance.wait(300) for instance in instances] == [0] * 32
    assert is_valid(logged)
    assert recorded(logged) == ["accounts1", "accounts2", "accounts3"]
    assert recorded(logged, "failed") == []


def test_an_index_waits_for_a_reader_longer_than_lock_timeout(
    logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """lock_timeout does not cut what CREATE INDEX CONCURRENTLY waits for, nor holder_idle_timeout."""
    settings = {"lock_timeout": "100ms", "lock_attempts": 1, "holder_idle_timeout": "1s"}
    with long_reader(logged), psycopg.connect(logged, autocommit=True) as connection:
        instances += [Instance(logged, path=plugins, settings=settings) for _ in range(8)]
        (pid,) = wait_until(lambda: connection.execute(BUILDING).fetchone())
        connection.execute("SELECT pg_sleep(3)")
        assert connection.execute(BUILDING).fetchone() == (pid,)
    assert [instance.wait() for instance in instances] == [0] * 8
    assert is_valid(logged)
    assert recorded(logged) == ["accounts1", "accounts2", "accounts3"]
    assert recorded(logged, "failed") == []


def test_the_invalid_index_of_a_crash_is_dropped_behind_a_long_reader(
    logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """Nor does lock_timeout cut the wait for dropping what an instance that was killed has left."""
    settings = {"lock_timeout": "100ms", "lock_attempts": 1}
    with long_reader(logged) as reader, psycopg.connect(logged, autocommit=True) as connection:
        instances.append(Instance(logged, path=plugins, settings=settings))
        wait_until(lambda: connection.execute(BUILDING).fetchone())
        reader.execute("SELECT FROM accounts.t1 LIMIT 1")  # who drops an index waits for its table's users
        os.kill(instances[0].pid, signal.SIGKILL)
        wait_until(lambda: connection.execute(BUILDING).fetchone() is None)
        # its lock_timeout is in effect by the time that the index is to be dropped
        plugin(plugins, "abacus", revision("abacus", 1))
        instances.append(Instance(logged, path=plugins, settings=settings))
        dropping = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DROP INDEX CONCURRENTLY%' AND state = 'active'"
        )
        wait_until(lambda: connection.execute(dropping).fetchone() or not instances[1].running)
        connection.execute("SELECT pg_sleep(1)")
    assert instances[1].wait() == 0, instances[1].outcome()
    assert is_valid(logged)
    assert recorded(logged) == ["abacus1", "accounts1", "accounts2", "accounts3"]


def test_a_unique_index_that_cannot_be_built_is_not_recorded(
    logged: str, site: Path, instances: list[Instance]
) -> None:
    """What leaves an INVALID index behind has failed; the next pass does not take it for the index."""
    fill = 'op.execute("CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 2)")'
    unique = BUILD.replace("INDEX CONCURRENTLY", "UNIQUE INDEX CONCURRENTLY").replace("t1", "twice")
    index = revision_source("accounts2", "accounts1", upgrade=unique, retry_safe=True)
    plugin(site, "accounts", revision("accounts", 1, fill), index)
    instances.append(Instance(logged, path=site))
    assert instances[0].wait() == 1
    assert recorded(logged, "failed") == ["accounts2"]
    with psycopg.connect(logged, autocommit=True) as connection:
        connection.execute("DELETE FROM accounts.twice WHERE ctid = '(0,1)'")
    instances.append(Instance(logged, path=site))
    assert instances[1].wait() == 0, instances[1].outcome()
    assert is_valid(logged)
    assert recorded(logged) == ["accounts1", "accounts2"]
