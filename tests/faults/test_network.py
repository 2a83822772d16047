"""The network between an instance and the server goes silent, or the server itself goes away for a while."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from corehost.embedded import LocalPostgres
from support.cluster import Cluster
from support.forked import Instance
from support.ledger import STEPS
from support.logged import plugin, ran, recorded, revision, with_log
from support.processes import wait_until
from support.wire import Moment, Wire

SETTINGS = {"holder_idle_timeout": "2s", "wait_timeout": "30s"}
SLEEPING = """SELECT pid FROM pg_stat_activity
              WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()"""
EXPECTED = ["accounts1", "accounts2", "billing1"]


@pytest.fixture
def plugins(site: Path) -> Path:
    """Two plugins, three revisions; the second one works in the server for a second."""
    slow = 'op.execute("SELECT pg_sleep(1)")'
    plugin(site, "accounts", revision("accounts", 1), revision("accounts", 2, slow))
    plugin(site, "billing", revision("billing", 1, depends_on="accounts@accounts2"))
    return site


# of a step: the statement that works for a second, its INSERT before, and the one that commits it
PLACES = {"idle": "accounts2", "busy": "pg_sleep", "committing": "WITH held"}


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("place", PLACES)
def test_an_instance_behind_a_black_hole_loses_its_lock(
    place: str, moment: Moment, logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """Idle, busy or committing, it holds nobody up; when the network heals, it ends well too."""
    with Wire(logged, stop_at=PLACES[place], moment=moment, hold=True) as wire:
        wire.on_stop = lambda: (wire.swallow(), wire.resume.set())  # the whole network, not one connection
        instances.append(Instance(wire.url, path=plugins, settings=SETTINGS))
        assert wire.stopped.wait(60)
        instances.append(Instance(logged, path=plugins, settings=SETTINGS))
        assert instances[1].wait() == 0, instances[1].outcome()
        wire.heal()
        assert instances[0].wait() == 0, instances[0].outcome()
    assert ran(logged) == recorded(logged) == EXPECTED
    applied = sorted(instances[0].outcome()["applied"] + instances[1].outcome()["applied"])
    assert applied == ["accounts@accounts1", "accounts@accounts2", "billing@billing1", *STEPS]


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("place", PLACES)
def test_a_cut_off_instance_notices_and_goes_on(
    place: str, moment: Moment, logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """Where one connection has gone silent without an end, the instance gets itself another one."""
    with Wire(logged, stop_at=PLACES[place], moment=moment, hold=True) as wire:
        instances.append(Instance(wire.url, path=plugins, settings=SETTINGS))
        assert instances[0].wait() == 0, instances[0].outcome()
        assert wire.stopped.is_set()
    assert ran(logged) == recorded(logged) == EXPECTED
    assert len(instances[0].outcome()["applied"]) == 3 + len(STEPS)


def test_an_instance_cut_off_for_good_ends(logged: str, plugins: Path, instances: list[Instance]) -> None:
    """With no way to the server at all it ends with 6 after wait_timeout, also in the middle of a step."""
    settings = {**SETTINGS, "wait_timeout": "2s"}
    with Wire(logged, stop_at="pg_sleep", moment="during", hold=True) as wire:
        wire.on_stop = wire.swallow
        instances.append(Instance(f"{wire.url} connect_timeout=2", path=plugins, settings=settings))
        assert instances[0].wait() == 6
    assert "cannot be reached" in instances[0].outcome()["error"]


def test_an_instance_cut_off_while_it_looks_ends(
    logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """The same where its very first question is never answered."""
    settings = {**SETTINGS, "wait_timeout": "2s"}
    with Wire(logged, stop_at=0, moment="during", hold=True) as wire:
        wire.on_stop = wire.swallow
        instances.append(Instance(f"{wire.url} connect_timeout=2", path=plugins, settings=settings))
        assert instances[0].wait() == 6
    assert "cannot be reached" in instances[0].outcome()["error"]


def test_a_long_statement_is_not_taken_for_a_black_hole(
    logged: str, site: Path, instances: list[Instance]
) -> None:
    """A statement that works for longer than every time-out ends in its first attempt."""
    plugin(site, "accounts", revision("accounts", 1, 'op.execute("SELECT pg_sleep(5)")'))
    settings = {"holder_idle_timeout": "1s", "wait_timeout": "2s"}
    instances += [Instance(logged, path=site, settings=settings) for _ in range(2)]
    assert [instance.wait() for instance in instances] == [0, 0]
    with psycopg.connect(logged) as connection:
        backends = connection.execute("SELECT count(DISTINCT backend_pid) FROM corehost.step").fetchone()
    assert ran(logged) == recorded(logged) == ["accounts1"]
    assert backends == (1,)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_in_the_middle_of_a_pass_is_found_again(
    mode: Literal["fast", "immediate"], bindir: Path, plugins: Path, instances: list[Instance]
) -> None:
    """Instances that work and that wait reconnect, and end with each revision applied once."""
    with Cluster(bindir) as cluster:
        url = with_log(cluster.url)
        instances += [Instance(url, path=plugins, settings=SETTINGS) for _ in range(3)]
        with psycopg.connect(url, autocommit=True) as connection:
            wait_until(lambda: connection.execute(SLEEPING).fetchone())
        cluster.control("restart", mode=mode)
        assert [instance.wait() for instance in instances] == [0, 0, 0]
        assert ran(url) == recorded(url) == EXPECTED


def read_only(postgres: LocalPostgres, url: str, value: str) -> None:
    """Make a database read-only for every new session, or not, and end those that there are."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )


def test_a_server_that_is_read_only_for_a_while_is_waited_for(
    postgres: LocalPostgres, logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """As in a failover: what was under way is rolled back, and gone on with when the server writes again."""
    instances += [Instance(logged, path=plugins, settings=SETTINGS) for _ in range(2)]
    with psycopg.connect(logged, autocommit=True) as connection:
        wait_until(lambda: connection.execute(SLEEPING).fetchone())
    read_only(postgres, logged, "on")
    over = threading.Event()
    for _ in range(20):  # long enough for several attempts
        assert all(instance.running for instance in instances)
        over.wait(0.1)
    read_only(postgres, logged, "off")
    assert [instance.wait() for instance in instances] == [0, 0]
    assert ran(logged) == recorded(logged) == EXPECTED


def test_a_server_that_stays_read_only_is_named(
    postgres: LocalPostgres, logged: str, plugins: Path, instances: list[Instance]
) -> None:
    """After wait_timeout the pass ends with 6 and says in one line that the database is read-only."""
    read_only(postgres, logged, "on")
    instances.append(Instance(logged, path=plugins, settings={**SETTINGS, "wait_timeout": "1s"}))
    assert instances[0].wait() == 6
    assert "the database is read-only" in instances[0].outcome()["error"]
