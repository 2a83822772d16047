"""A real network that drops every packet: keepalives, not idle time-outs, free the lock. Needs root."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support.cluster import Cluster
from support.dropped_route import DroppedRoute
from support.logged import plugin, ran, recorded, revision, with_log
from support.processes import Processes, wait_until

SLEEPING = """SELECT state FROM pg_stat_activity
              WHERE query LIKE 'SELECT pg_sleep%' AND application_name LIKE 'corehost%'"""


@pytest.fixture
def route() -> Iterator[DroppedRoute]:
    """The way from an instance to the server."""
    with DroppedRoute() as route:
        yield route


@pytest.fixture
def cluster(route: DroppedRoute, bindir: Path) -> Iterator[Cluster]:
    """A server that listens at its end."""
    with Cluster(bindir, {"listen_addresses": route.server}) as cluster:
        with_log(cluster.url)
        yield cluster


@pytest.mark.parametrize("place", ["idle", "busy", "answering"])
def test_a_lock_behind_a_dropped_route_is_free_long_before_the_idle_time_out(
    place: str,
    cluster: Cluster,
    route: DroppedRoute,
    site: Path,
    tmp_path: Path,
    processes: Processes,
) -> None:
    """Idle, in a long statement, or answering: another instance finishes, and the cut-off one ends with 6."""
    marker = tmp_path / "first"
    marker.touch()
    in_server, in_python = {"idle": (0, 3600), "busy": (3600, 0), "answering": (2, 0)}[place]
    body = f"""
import pathlib, time
first = pathlib.Path({str(marker)!r})
if first.exists():
    first.unlink()
    op.execute("SELECT pg_sleep({in_server})")
    time.sleep({in_python})"""
    plugin(site, "accounts", revision("accounts", 1, body))
    settings = {"COREHOST_HOLDER_IDLE_TIMEOUT": "1h", "COREHOST_WAIT_TIMEOUT": "3s"}
    url = f"host={route.server} user=postgres dbname=postgres"
    command = [*route.prefix, sys.executable, "-m", "corehost", "migrate"]
    victim = processes.start(command, database=url, path=[site], extra=settings)
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        state = "idle in transaction" if place == "idle" else "active"
        wait_until(lambda: connection.execute(SLEEPING).fetchone() == (state,))
    route.drop()
    settings["COREHOST_WAIT_TIMEOUT"] = "5min"
    assert processes.run("migrate", database=cluster.url, path=[site], extra=settings).returncode == 0
    assert ran(cluster.url) == recorded(cluster.url) == ["accounts1"]
    if place != "idle":  # that one sleeps by itself
        ended = victim.wait()
        assert ended.returncode == 6, ended.stderr
        assert "cannot be reached" in ended.stderr
