"""A loop over batches that is cut short anywhere goes on behind its last committed batch."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from corehost.core.errors import MigrationError
from support.forked import Instance
from support.logged import write_own
from support.packages import spec
from support.processes import Processes, wait_until
from support.wire import Moment, Wire

from ..conftest import DatabaseFactory
from .conftest import ONCE, ROWS, TABLE, Run, counted, filling

STRIDE = int(os.environ.get("COREHOST_TEST_CRASH_STRIDE", "19"))
"""Every so many points are tried; 1 tries all."""


Start = Callable[..., Instance]


@pytest.fixture
def plugins(site: Path) -> Path:
    """A plugin whose one revision is a loop of sixteen batches."""
    source = filling('"items", size=25, pause="15ms"')
    write_own(site, "data", spec_source=spec("data"), revisions={"1": source})
    return site


@pytest.fixture
def start(plugins: Path) -> Iterator[Start]:
    """Starts instances; none outlives its test."""
    started: list[Instance] = []

    def one(url: str, **settings: str) -> Instance:
        started.append(Instance(url, path=plugins, settings={"wait_timeout": "30s", **settings}))
        return started[-1]

    yield one
    for instance in started:
        instance.close()


def with_table(url: str) -> str:
    """The URL of a database, after it was given the table."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE)
    return url


def test_killed_at_random_again_and_again_it_does_each_row_once(items: str, start: Start) -> None:
    """After every kill -9 the next instance goes on by itself; nobody finds the step in doubt."""
    draw = random.Random(7)
    kills = 0
    while True:
        instance = start(items)
        goal = counted(items)[2] + draw.choice((0, 25))
        wait_until(lambda instance=instance, goal=goal: not instance.running or counted(items)[2] > goal)
        if not instance.running:
            break
        os.kill(instance.pid, signal.SIGKILL)
        instance.wait()
        kills += 1
        notes = counted(items)[2]
        assert counted(items)[3] == notes
    assert instance.outcome()["error"] is None
    assert kills >= 3
    assert counted(items) == ONCE
    with psycopg.connect(items) as connection:
        open_steps = connection.execute("SELECT count(*) FROM corehost.step WHERE open").fetchone()
        runners = connection.execute("SELECT count(DISTINCT by) FROM public.touched").fetchone()
    assert open_steps == (0,)
    assert runners is not None
    assert runners[0] >= 3


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_or_cut_off_at_any_request_it_does_each_row_once(
    moment: Moment, database_factory: DatabaseFactory, start: Start
) -> None:
    """Before, during or after any request: a COMMIT whose answer was lost counts as what it was."""
    with Wire(with_table(database_factory())) as wire:
        assert start(wire.url).wait() == 0
        requests = list(wire.requests)
    commits = [request.number for request in requests if "corehost.batch" in request.text]
    points = [*commits[:2], *range(commits[0] - 4, len(requests), STRIDE), len(requests) - 1]
    for place, number in enumerate(points):
        url = with_table(database_factory())
        victims: list[Instance] = []
        kill = place % 2 == 0

        def stop(victims: list[Instance] = victims, kill: bool = kill) -> None:
            if kill:
                os.kill(victims[0].pid, signal.SIGKILL)

        with Wire(url, stop_at=number, moment=moment, on_stop=stop) as wire:
            victims.append(start(wire.url))
            victims[0].wait()
        if kill:
            assert start(url).wait() == 0, requests[number]
        else:
            assert victims[0].outcome()["error"] is None, requests[number]
        assert counted(url) == ONCE, (moment, requests[number])


def test_a_batch_that_fails_is_where_the_next_run_begins(run: Run, items: str) -> None:
    """What was committed before it stays; the branch has failed, and is not in doubt."""
    failing = filling(after="    if batch.number == 3:\n        raise RuntimeError('the third')")
    with pytest.raises(MigrationError, match="the third"):
        run(failing)
    assert counted(items)[2:] == (40, 40)
    with psycopg.connect(items) as connection:
        found = connection.execute(
            "SELECT outcome, open, partial FROM corehost.step WHERE revision = 'd1'"
        ).fetchall()
    assert found == [("failed", True, False)]
    run(filling())
    assert counted(items) == ONCE


def test_a_batch_that_cannot_have_its_locks_is_tried_again(run: Run, items: str) -> None:
    """Only tries at one batch are counted: a loop may meet more locks than lock_attempts in its time."""
    meets = """\
    marker = __import__("pathlib").Path(__file__).with_suffix(f".{batch.number}")
    if not marker.exists():
        marker.touch()
        op.execute("DO $$ BEGIN RAISE lock_not_available; END $$")"""
    run(filling('"items", size=100', after=meets), lock_attempts=2)
    assert counted(items) == ONCE


def test_a_batch_without_the_lock_is_not_committed(run: Run, items: str) -> None:
    """The lock is asked for in the statement that commits: whoever has lost it leaves nothing behind."""
    losing = '    if batch.number == 2:\n        op.execute("SELECT pg_advisory_unlock_all()")'
    with pytest.raises(MigrationError, match="lock was lost"):
        run(filling(after=losing))
    assert counted(items)[2:] == (20, 20)


def test_a_loop_with_another_table_than_before_is_refused(run: Run, items: str) -> None:
    """A key of one table says nothing of another: the file was changed in the middle of its run."""
    stopping = "    if batch.number == 3:\n        raise RuntimeError('the third')"
    with pytest.raises(MigrationError):
        run(filling(after=stopping))
    with psycopg.connect(items, autocommit=True) as connection:
        connection.execute("ALTER TABLE data.items ADD COLUMN code int UNIQUE")
        connection.execute("UPDATE data.items SET code = -id; ALTER TABLE data.items ALTER code SET NOT NULL")
    with pytest.raises(MigrationError, match=r"items \(id\).*now goes through items \(code\)"):
        run(filling('"items", key="code"'))


def test_two_loops_of_a_revision_are_kept_apart(run: Run, items: str) -> None:
    """A run that was cut short in the second does nothing of the first again."""
    second = """\
for batch in corehost.batches("items", size=100):
    batch.execute(f"UPDATE items SET done = done + 10 WHERE {batch.condition}")"""
    with pytest.raises(MigrationError):
        run(filling(after=f"{second}\n    if batch.number == 2:\n        raise RuntimeError('no')"))
    run(filling(after=second))
    assert counted(items) == (11, 11, ROWS, ROWS)


def test_asked_to_end_it_ends_behind_a_batch(items: str, plugins: Path, processes: Processes) -> None:
    """SIGTERM in the middle of a loop: exit 143, no failure in the ledger, the rest for the next run."""
    environment = {"database": items, "path": [plugins], "extra": {"COREHOST_PLUGIN_GROUPS": "tests.plugins"}}
    process = processes.corehost("migrate", **environment)  # type: ignore[arg-type]
    wait_until(lambda: counted(items)[2] > 0)
    process.send(signal.SIGTERM)
    assert process.wait().returncode == 143
    done = counted(items)[2]
    assert 0 < done < ROWS
    with psycopg.connect(items) as connection:
        outcomes = connection.execute(
            "SELECT outcome, partial FROM corehost.step WHERE revision = 'd1'"
        ).fetchall()
    assert outcomes == [("started", False)]
    assert processes.run("check", **environment).returncode == 3  # type: ignore[arg-type]
    assert processes.run("migrate", **environment).returncode == 0  # type: ignore[arg-type]
    assert counted(items) == ONCE
