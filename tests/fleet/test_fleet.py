"""Many instances at once, real processes on a real server: each revision once, everybody ready."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from support.forked import Instance
from support.packages import revision_source, spec
from support.processes import Processes, wait_until

from .conftest import plugin, write_own

ROUNDS = int(os.environ.get("COREHOST_TEST_ROUNDS", "2"))
INSTANCE = """
import json
import corehost

with corehost.Host.from_config() as host:
    print(json.dumps({"ready": host.ready, "state": host.readiness().state}))
"""
ALL = "accounts,billing,search,notes,audit"


def run_fleet(
    processes: Processes, database: str, path: Path, size: int, *, sets: Sequence[str] = (ALL,)
) -> None:
    """Start so many instances at once, as a host's users would, the given plugin sets in turn."""
    fleet = [
        processes.python(
            INSTANCE, database=database, path=[path], extra={"COREHOST_PLUGINS": sets[number % len(sets)]}
        )
        for number in range(size)
    ]
    for process in fleet:
        ended = process.wait(300)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == {"ready": True, "state": "ready"}
        assert ended.stderr == ""


def run_forked_fleet(database: str, path: Path, size: int, *, sets: Sequence[str] = (ALL,)) -> None:
    """The same with instances that are forked: they meet each other much closer in time."""
    fleet = [
        Instance(database, path=path, settings={"plugins": sets[number % len(sets)].split(",")})
        for number in range(size)
    ]
    try:
        for instance in fleet:
            assert instance.wait(300) == 0, instance.outcome()
            assert instance.outcome()["error"] is None
    finally:
        for instance in fleet:
            instance.close()


def ran(database: str) -> list[str]:
    """Every run of a revision, as the revisions themselves say."""
    with psycopg.connect(database) as connection:
        return [row[0] for row in connection.execute("SELECT revision FROM public.ran ORDER BY at")]


def recorded(database: str) -> list[str]:
    """Every application of a revision, as the ledger says; its own revisions left out."""
    statement = """SELECT revision FROM corehost.step
                   WHERE branch <> 'corehost' AND outcome = 'applied' ORDER BY id"""
    with psycopg.connect(database) as connection:
        return [row[0] for row in connection.execute(statement)]


def attempts(database: str) -> int:
    """How many attempts the ledger has, of any outcome."""
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM corehost.step WHERE branch <> 'corehost'").fetchone()
    assert row is not None
    return int(row[0])


EXPECTED = sorted(
    f"{name}{number}"
    for name, count in (("accounts", 4), ("billing", 4), ("search", 3), ("notes", 3), ("audit", 2))
    for number in range(1, count + 1)
)


@pytest.mark.parametrize("size", [2, 8, 32])
@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_fleet_on_an_empty_database_applies_each_revision_once(
    size: int, round_: int, logged: str, plugins: Path
) -> None:
    """However many instances start at once, all end ready and every revision has run exactly once."""
    run_forked_fleet(logged, plugins, size)
    assert sorted(ran(logged)) == EXPECTED
    assert sorted(recorded(logged)) == EXPECTED
    assert attempts(logged) == len(EXPECTED)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_instances_with_different_plugins_share_a_database(round_: int, logged: str, plugins: Path) -> None:
    """Instances that have different plugins installed apply each revision once between them."""
    sets = ["accounts,billing", "accounts,search,notes", "audit,accounts", ALL]
    run_forked_fleet(logged, plugins, 8, sets=sets)
    assert sorted(ran(logged)) == EXPECTED
    assert sorted(recorded(logged)) == EXPECTED


def test_a_revision_runs_after_what_it_depends_on(logged: str, plugins: Path, processes: Processes) -> None:
    """In a fleet too, explicit dependencies and requires hold in the order in which revisions ran."""
    run_fleet(processes, logged, plugins, 8)
    order = ran(logged)
    assert order.index("accounts3") < order.index("billing2")
    assert order.index("search2") < order.index("notes2")
    assert order.index("accounts4") < order.index("billing1")


def test_an_uninstalled_plugin_disturbs_nobody(logged: str, plugins: Path, processes: Processes) -> None:
    """After a plugin was uninstalled the others are ready, its state is kept and called orphaned."""
    run_fleet(processes, logged, plugins, 2)
    run_fleet(processes, logged, plugins, 4, sets=["accounts,search,audit"])
    left = {"COREHOST_PLUGINS": "accounts,search,audit"}
    report = processes.run("status", "--json", database=logged, path=[plugins], extra=left).json()
    states = {branch["branch"]: branch["state"] for branch in report["branches"]}
    assert states["billing"] == states["notes"] == "orphaned"
    assert states["accounts"] == "current"
    assert report["ready"] is True
    run_fleet(processes, logged, plugins, 2)
    assert sorted(ran(logged)) == EXPECTED


def test_a_slow_namespace_does_not_delay_another(logged: str, site: Path, processes: Processes) -> None:
    """While one namespace's revision sleeps in the server, another instance finishes another namespace."""
    plugin(site, "slow", 1, seconds={1: 5})
    plugin(site, "swift", 3)
    run_fleet(processes, logged, site, 3, sets=["slow,swift"])
    with psycopg.connect(logged) as connection:
        row = connection.execute(
            """SELECT slow.started_at < swift.finished_at AND swift.finished_at < slow.finished_at
               FROM corehost.step slow, corehost.step swift
               WHERE slow.revision = 'slow1' AND swift.revision = 'swift3'"""
        ).fetchone()
    assert row == (True,)


def test_waiting_instances_hold_no_connection(logged: str, site: Path, processes: Processes) -> None:
    """While one instance migrates, those that wait are seldom connected, and never in a transaction."""
    plugin(site, "slow", 1, seconds={1: 6})
    fleet = [
        processes.python(INSTANCE, database=logged, path=[site], extra={"COREHOST_PLUGINS": "slow"})
        for _ in range(8)
    ]
    count = """SELECT count(*) FILTER (WHERE query NOT LIKE '%%pg_sleep%%'),
                      count(*) FILTER (WHERE query NOT LIKE '%%pg_sleep%%' AND state LIKE 'idle in%%')
               FROM pg_stat_activity
               WHERE application_name LIKE 'corehost%%' AND datname = current_database()"""
    sleeping = """SELECT 1 FROM pg_stat_activity
                  WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()"""
    with psycopg.connect(logged, autocommit=True) as connection:
        wait_until(lambda: connection.execute(sleeping).fetchone())
        looks = []
        while connection.execute(sleeping).fetchone():
            row = connection.execute(count).fetchone()
            assert row is not None
            looks.append(row)
    connected = [row[0] for row in looks]
    assert sum(connected) / len(connected) < 2  # seven are waiting
    assert 0 in connected
    assert all(row[1] == 0 for row in looks)
    for process in fleet:
        assert process.wait(120).returncode == 0


def test_a_failing_revision_is_tried_once_by_a_fleet(logged: str, site: Path) -> None:
    """Who waited while it failed does not run it again: all fail, naming it, and one has tried."""
    plugin(site, "sound", 1)
    upgrade = 'op.execute("SELECT pg_sleep(3)")\nop.execute("SELECT 1 / 0")'
    revisions = {"1": revision_source("broken1", None, upgrade=upgrade)}
    write_own(site, "broken", spec_source=spec("broken"), revisions=revisions)
    fleet = [Instance(logged, path=site) for _ in range(8)]
    codes = [instance.wait() for instance in fleet]
    errors = [instance.outcome()["error"] for instance in fleet]
    for instance in fleet:
        instance.close()
    assert codes == [1] * 8
    assert all("broken1" in error and "division by zero" in error for error in errors)
    assert ran(logged) == ["sound1"]
    with psycopg.connect(logged) as connection:
        tried = connection.execute("SELECT count(*) FROM corehost.step WHERE outcome = 'failed'").fetchone()
    assert tried == (1,)
