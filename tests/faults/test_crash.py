"""An instance is killed at every point of the protocol; another one finishes, and nothing is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from support.forked import Instance
from support.wire import Moment, Request, Wire

from ..conftest import DatabaseFactory
from .conftest import result_of

STRIDE = int(os.environ.get("COREHOST_TEST_CRASH_STRIDE", "8"))
"""Every so many points are tried; 1 tries all."""


def tried(requests: list[Request]) -> list[int]:
    """The numbers of every so many requests, and of those whose failure is told in words of their own."""
    own = {n for n, request in enumerate(requests) if request.text.startswith("CREATE EXTENSION")}
    return sorted(own.union(range(0, len(requests), STRIDE)))


def undisturbed(database_factory: DatabaseFactory, plugins: Path) -> tuple[str, list[Request]]:
    """The URL of a database that was migrated without any fault, and the requests that it took."""
    url = database_factory()
    with Wire(url) as wire:
        instance = Instance(wire.url, path=plugins)
        assert instance.wait() == 0, instance.outcome()
        instance.close()
        return url, list(wire.requests)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_crash_at_any_request_loses_nothing(
    moment: Moment, database_factory: DatabaseFactory, plugins: Path, bindir: Path
) -> None:
    """Killed before, during or after any of its requests, an instance leaves what another one completes."""
    whole, requests = undisturbed(database_factory, plugins)
    expected = result_of(whole, bindir)
    for number in tried(requests):
        url = database_factory()
        victims: list[Instance] = []
        with Wire(
            url,
            stop_at=number,
            moment=moment,
            on_stop=lambda victims=victims: os.kill(victims[0].pid, signal.SIGKILL),
        ) as wire:
            victims.append(Instance(wire.url, path=plugins))
            assert victims[0].wait() == -signal.SIGKILL, (requests[number], victims[0].outcome())
        victims[0].close()
        rescuer = Instance(url, path=plugins, settings={"wait_timeout": "30s"})
        code = rescuer.wait()
        outcome = rescuer.outcome()
        rescuer.close()
        assert code == 0, (moment, requests[number], outcome)
        assert result_of(url, bindir) == expected, (moment, requests[number])
        with psycopg.connect(url) as connection:
            left = connection.execute("SELECT count(*) FROM corehost.step WHERE open").fetchone()
            invalid = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
        assert left == (0,), (moment, requests[number])
        assert invalid == (0,), (moment, requests[number])


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_connection_lost_at_any_request_is_replaced(
    moment: Moment, database_factory: DatabaseFactory, plugins: Path, bindir: Path
) -> None:
    """An instance whose connection is cut before, during or after any request goes on with another one."""
    whole, requests = undisturbed(database_factory, plugins)
    expected = result_of(whole, bindir)
    for number in tried(requests):
        url = database_factory()
        with Wire(url, stop_at=number, moment=moment) as wire:
            instance = Instance(wire.url, path=plugins, settings={"wait_timeout": "30s"})
            code, outcome = instance.wait(), instance.outcome()
            instance.close()
        assert code == 0, (moment, requests[number], outcome)
        assert result_of(url, bindir) == expected, (moment, requests[number])
        assert sorted(outcome["applied"]) == expected[2], (moment, requests[number])
