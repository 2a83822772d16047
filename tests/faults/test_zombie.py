"""An instance is stopped, not killed: it loses its lock, another one finishes; woken, it commits nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support.forked import Instance
from support.ledger import STEPS
from support.logged import plugin, ran, recorded, revision, with_log
from support.packages import revision_source
from support.processes import wait_until
from support.wire import Moment, Wire

from ..conftest import DatabaseFactory

STRIDE = int(os.environ.get("COREHOST_TEST_CRASH_STRIDE", "11"))
"""Every so many points are tried; 1 tries all."""

SETTINGS = {"holder_idle_timeout": "1s", "wait_timeout": "30s"}
CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS users_id ON t1 (id)")"""
EXPECTED = ["accounts1", "accounts2", "billing1"]
EXPECTED_STEPS = ["accounts1", "accounts2", "accounts3", "billing1"]
STOP_ONCE = """
import os, signal
from pathlib import Path
marker = Path({marker!r})
if not marker.exists():
    marker.touch()
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def plugins(site: Path) -> Path:
    """Two plugins that depend on each other, and an index that is made concurrently."""
    index = revision_source("accounts3", "accounts2", upgrade=CONCURRENTLY, retry_safe=True)
    plugin(site, "accounts", revision("accounts", 1), revision("accounts", 2), index)
    plugin(site, "billing", revision("billing", 1, depends_on="accounts@accounts1"))
    return site


class Fleet:
    """Instances on one database, none of which outlives its test."""

    def __init__(self, path: Path):
        self._path = path
        self._started: list[Instance] = []

    def start(self, url: str, **settings: str) -> Instance:
        """One more."""
        instance = Instance(url, path=self._path, settings={**SETTINGS, **settings})
        self._started.append(instance)
        return instance

    def freeze(self) -> None:
        """Stop the one that was started first."""
        os.kill(wait_until(lambda: self._started)[0].pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self._started[0].pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill those that run."""
        for instance in self._started:
            instance.close()
        self._started.clear()


@pytest.fixture
def fleet(site: Path) -> Iterator[Fleet]:
    """Instances that see the test's own plugins."""
    fleet = Fleet(site)
    yield fleet
    fleet.close()


def is_stopped(instance: Instance) -> bool:
    """Whether a process is stopped by a signal."""
    return Path(f"/proc/{instance.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("moment", ["before", "half", "during", "after"])
def test_an_instance_stopped_at_any_request_commits_nothing_when_it_wakes(
    moment: Moment, database_factory: DatabaseFactory, plugins: Path, fleet: Fleet
) -> None:
    """Whatever it was doing, another instance ends with 0 meanwhile, and so does it, each revision once."""
    with Wire(with_log(database_factory())) as wire:
        assert fleet.start(wire.url).wait() == 0
        requests = list(wire.requests)
        fleet.close()
    for number in range(0, len(requests), STRIDE):
        point = (moment, requests[number])
        url = with_log(database_factory())
        with Wire(url, stop_at=number, moment=moment, hold=True, on_stop=fleet.freeze) as wire:
            victim = fleet.start(wire.url)
            assert wire.stopped.wait(60), point
            rescuer = fleet.start(url)
            assert rescuer.wait() == 0, (point, rescuer.outcome())
            assert ran(url) == EXPECTED, point
            fleet.wake()
            wire.resume.set()
            assert victim.wait() == 0, (point, victim.outcome())
        assert ran(url) == EXPECTED, point
        assert recorded(url) == EXPECTED_STEPS, point
        applied = sorted(victim.outcome()["applied"] + rescuer.outcome()["applied"])
        assert applied == sorted([*STEPS, *(f"{n[:-1]}@{n}" for n in EXPECTED_STEPS)]), point
        fleet.close()


def test_an_instance_stopped_while_the_server_writes_to_it_loses_its_lock(
    logged: str, site: Path, fleet: Fleet
) -> None:
    """No idle time-out ends a session in the middle of an answer: a waiting instance does."""
    big = "op.get_bind().execute(sa.text(\"SELECT repeat('x', 1000) FROM generate_series(1, 50000)\")).all()"
    plugin(site, "accounts", revision("accounts", 1, big))
    with Wire(logged, stop_at="repeat", moment="during", hold=True, on_stop=fleet.freeze) as wire:
        victim = fleet.start(wire.url)
        assert wire.stopped.wait(60)
        assert fleet.start(logged).wait() == 0
        fleet.wake()
        wire.resume.set()
        assert victim.wait() == 0, victim.outcome()
    assert ran(logged) == recorded(logged) == ["accounts1"]


def test_an_instance_stopped_in_the_middle_of_a_copy_loses_its_lock(
    logged: str, site: Path, tmp_path: Path, fleet: Fleet
) -> None:
    """Nor does one end a session that waits for the rest of a COPY: a waiting instance does."""
    copy = """
with op.get_bind().connection.cursor().copy("COPY t1 FROM STDIN") as rows:
    rows.write_row((1,))
    {stop}"""
    stop = STOP_ONCE.format(marker=str(tmp_path / "stopped")).strip().replace("\n", "\n    ")
    plugin(site, "accounts", revision("accounts", 1, copy.format(stop=stop)))
    victim = fleet.start(logged)
    wait_until(lambda: is_stopped(victim))
    assert fleet.start(logged).wait() == 0
    fleet.wake()
    assert victim.wait() == 0, victim.outcome()
    assert ran(logged) == recorded(logged) == ["accounts1"]


def test_a_revision_that_switches_the_time_out_off_is_no_exception(
    logged: str, site: Path, tmp_path: Path, fleet: Fleet
) -> None:
    """Stopped behind SET idle_in_transaction_session_timeout = 0 an instance loses its lock all the same."""
    body = 'op.execute("SET idle_in_transaction_session_timeout = 0")\n'
    body += STOP_ONCE.format(marker=str(tmp_path / "stopped"))
    plugin(site, "accounts", revision("accounts", 1, body))
    victim = fleet.start(logged)
    wait_until(lambda: is_stopped(victim))
    assert fleet.start(logged).wait() == 0
    fleet.wake()
    assert victim.wait() == 0, victim.outcome()
    assert ran(logged) == recorded(logged) == ["accounts1"]


def test_a_step_finds_the_time_outs_again_that_the_one_before_it_switched_off(
    logged: str, site: Path, fleet: Fleet
) -> None:
    """A revision that runs a dump leaves its SETs to nobody."""
    dump = """
for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout",
             "idle_session_timeout", "client_connection_check_interval"):
    op.execute(f"SET {name} = 0")"""
    shown = """
op.execute("CREATE TABLE shown AS SELECT name, setting FROM pg_settings WHERE name IN ("
           "'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', "
           "'client_connection_check_interval')")"""
    plugin(site, "accounts", revision("accounts", 1, dump), revision("accounts", 2, shown))
    assert fleet.start(logged).wait() == 0
    with psycopg.connect(logged) as connection:
        found = connection.execute("SELECT name, setting FROM accounts.shown").fetchall()
    assert sorted(found) == [
        ("client_connection_check_interval", "500"),
        ("idle_in_transaction_session_timeout", "1000"),
        ("idle_session_timeout", "1000"),
        ("lock_timeout", "1000"),
    ]


def test_an_instance_stopped_for_longer_than_wait_timeout_looks_again(
    logged: str, plugins: Path, fleet: Fleet
) -> None:
    """The time that it was stopped is no reason to give up before it has looked once more."""
    with Wire(logged, stop_at="INSERT INTO public.ran", hold=True, on_stop=fleet.freeze) as wire:
        victim = fleet.start(wire.url, wait_timeout="500ms")
        assert wire.stopped.wait(60)
        assert fleet.start(logged).wait() == 0
        fleet.wake()
        wire.resume.set()
        assert victim.wait() == 0, victim.outcome()


def test_a_pause_shorter_than_the_time_out_is_none_of_our_business(
    logged: str, site: Path, fleet: Fleet
) -> None:
    """A data migration that thinks between its statements keeps its lock, with another instance waiting."""
    pauses = """
import time
for _ in range(4):
    time.sleep(0.7)
    op.execute("SELECT 1")"""
    plugin(site, "accounts", revision("accounts", 1, pauses))
    instances = [fleet.start(logged, holder_idle_timeout="2s") for _ in range(2)]
    assert [instance.wait() for instance in instances] == [0, 0]
    assert ran(logged) == recorded(logged) == ["accounts1"]


def test_a_slow_copy_is_not_taken_for_a_stopped_one(logged: str, site: Path, fleet: Fleet) -> None:
    """A COPY whose rows come slowly, but come, keeps its lock for longer than the time-out."""
    copy = """
import time
op.execute("CREATE TABLE texts (content text)")
with op.get_bind().connection.cursor().copy("COPY texts FROM STDIN") as rows:
    for number in range(30):
        rows.write_row(("x" * 100_000,))
        time.sleep(0.1)"""
    plugin(site, "accounts", revision("accounts", 1, copy))
    instances = [fleet.start(logged) for _ in range(2)]
    assert [instance.wait() for instance in instances] == [0, 0]
    with psycopg.connect(logged) as connection:
        backends = connection.execute("SELECT count(DISTINCT backend_pid) FROM corehost.step").fetchone()
    assert ran(logged) == recorded(logged) == ["accounts1"]
    assert backends == (1,)


def test_a_revision_that_gives_its_lock_away_is_not_committed(logged: str, site: Path, fleet: Fleet) -> None:
    """After pg_advisory_unlock_all() the step fails, naming the lock, and nothing of it is there."""
    unlock = 'op.execute("SELECT pg_advisory_unlock_all()")'
    plugin(site, "accounts", revision("accounts", 1, unlock))
    instance = fleet.start(logged)
    assert instance.wait() == 1
    assert "revision accounts1 failed: the namespace's lock was lost" in instance.outcome()["error"]
    assert (ran(logged), recorded(logged), recorded(logged, "failed")) == ([], [], ["accounts1"])


def test_nothing_is_committed_early_without_the_lock(logged: str, site: Path, fleet: Fleet) -> None:
    """After pg_advisory_unlock_all() an autocommit block is not entered: no part of the step is there."""
    unlock = (
        'op.execute("CREATE TABLE parts (id int)")\n'
        'op.execute("SELECT pg_advisory_unlock_all()")\n'
        'with op.get_context().autocommit_block():\n    op.execute("CREATE TABLE rest (id int)")'
    )
    plugin(site, "accounts", revision("accounts", 1, unlock))
    instance = fleet.start(logged)
    assert instance.wait() == 1
    error = instance.outcome()["error"]
    assert "revision accounts1 failed: the namespace's lock was lost" in error
    assert "corehost resolve" not in error
    assert (ran(logged), recorded(logged), recorded(logged, "failed")) == ([], [], ["accounts1"])
    with psycopg.connect(logged) as connection:
        (found,) = connection.execute("SELECT to_regclass('accounts.parts')").fetchone() or ()
    assert found is None


def test_a_revision_that_discards_its_session_is_not_recorded_as_applied(
    logged: str, site: Path, fleet: Fleet
) -> None:
    """After DISCARD ALL, which commits, the step fails and its version row is not there: it is in doubt."""
    discard = 'with op.get_context().autocommit_block():\n    op.execute("DISCARD ALL")'
    plugin(site, "accounts", revision("accounts", 1, discard))
    instance = fleet.start(logged)
    assert instance.wait() == 1
    error = instance.outcome()["error"]
    assert "revision accounts1 failed: the namespace's lock was lost" in error
    assert "corehost resolve" in error
    assert (recorded(logged), recorded(logged, "failed")) == ([], ["accounts1"])
    with psycopg.connect(logged) as connection:
        assert connection.execute("SELECT version_num FROM accounts.alembic_version").fetchall() == []
