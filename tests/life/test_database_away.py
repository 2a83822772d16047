"""An instance that serves while its database is away; a real database that refuses connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import corehost
from corehost.embedded import LocalPostgres
from support.processes import wait_until

from .conftest import Install


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every few milliseconds."""
    monkeypatch.setattr("corehost.watch._EVERY", 0.05)
    monkeypatch.setattr("corehost.watch._AGAIN", 0.01)


@pytest.fixture
def allow(postgres: LocalPostgres, database: str) -> Callable[[bool], None]:
    """Lets the database refuse every connection, or accept them again."""

    def allow(yes: bool) -> None:
        name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}')  # type: ignore[arg-type]

    return allow


@pytest.mark.parametrize("needed", [False, True])
def test_a_database_that_goes_away_and_comes_back(
    needed: bool, allow: Callable[[bool], None], install: Install, settings: dict[str, Any]
) -> None:
    """The instance is degraded, ready unless the setting says otherwise, and recovers by itself."""
    install("orders")
    with corehost.Host.from_config(**settings, readiness_needs_database=needed) as host:
        assert (host.ready, host.readiness().state) == (True, "ready")
        allow(False)
        wait_until(lambda: host.readiness().state == "degraded")
        assert host.ready is not needed
        assert "not currently accepting connections" in (host.readiness().message or "")
        allow(True)
        wait_until(lambda: host.readiness().state == "ready")
        assert host.ready
    assert host.readiness().state == "starting"


def test_whoever_runs_something_else_in_the_hosts_place_notices_it_too(
    allow: Callable[[bool], None], install: Install, settings: dict[str, Any]
) -> None:
    """The parent of a command looks as a host does, with or without a presence whose session could end."""
    install("orders")
    host = corehost.Host.from_config(**settings, presence="off", readiness_needs_database=True)
    host.hold_presence(host.prepare())
    assert host.ready
    allow(False)
    wait_until(lambda: not host.ready)
    allow(True)
    wait_until(lambda: host.ready)
    host.stop()
