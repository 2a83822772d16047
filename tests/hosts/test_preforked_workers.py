"""A gunicorn whose gate was made before it forked its workers: one pass, and no worker that lags."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hammer import APPLICATION, READY, Hammer, refused_after_ready
from support.logged import plugin, ran, revision, watcher, with_log
from support.processes import Processes, wait_until
from support.web_servers import WebServer, serve

WORKERS = 3
Gunicorn = Callable[[float], WebServer]


@pytest.fixture
def passes(tmp_path: Path) -> Path:
    """The file into which each process that begins a pass with something to do writes its pid."""
    return tmp_path / "passes"


@pytest.fixture
def gunicorn(processes: Processes, site: Path, database: str, passes: Path) -> Gunicorn:
    """Starts one with three workers, on two migrations that take so many seconds in all."""
    with_log(database)
    watcher(site, passes)

    def start(seconds: float) -> WebServer:
        plugin(site, "orders", *(revision("orders", n, _sleep(seconds / 2)) for n in (1, 2)))
        return serve(
            processes,
            "gunicorn",
            1,
            target="support.served:wsgi_app",
            database=database,
            path=[site],
            extra={"SERVED_TABLE": "orders.t2"},
            options=[f"--workers={WORKERS}"],
        )

    return start


def _sleep(seconds: float) -> str:
    return f'op.execute("SELECT pg_sleep({seconds})")'


def pids_of(hammer: Hammer, server: WebServer) -> set[int]:
    """The workers that have served the application."""
    answers = hammer.of(server.name, APPLICATION)
    return {json.loads(answer.body)["pid"] for answer in answers if answer.status == 200}


def test_one_worker_runs_the_pass(gunicorn: Gunicorn, passes: Path, database: str) -> None:
    """Only one of three workers finds anything pending, and none refuses a request once one is ready."""
    server = gunicorn(1.0)
    with Hammer([server], threads=6, pause=0.005) as hammer:
        wait_until(lambda: len(pids_of(hammer, server)) == WORKERS)
    assert len(passes.read_text().split()) == 1
    assert refused_after_ready(hammer.answers) == []
    assert ran(database) == ["orders1", "orders2"]


def test_another_worker_takes_over(gunicorn: Gunicorn, passes: Path, database: str) -> None:
    """Where the worker that runs the pass is killed, another one of the same server ends it."""
    server = gunicorn(3.0)
    with Hammer([server], threads=3) as hammer:
        killed = int(wait_until(lambda: passes.exists() and passes.read_text().split())[0])
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(pids_of(hammer, server)) == WORKERS)
    assert killed not in pids_of(hammer, server)
    assert ran(database) == ["orders1", "orders2"]


def test_a_new_worker_refuses_nobody(gunicorn: Gunicorn) -> None:
    """A worker that takes the place of one that ended holds its first requests until it is up itself."""
    server = gunicorn(0.0)
    with Hammer([server], threads=4, pause=0.005) as hammer:
        first = wait_until(lambda: len(found := pids_of(hammer, server)) == WORKERS and found)
        for pid in first:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: len(pids_of(hammer, server) - first) == WORKERS)
    refused = refused_after_ready(hammer.answers)
    assert [answer for answer in refused if answer.status == 503] == []
    assert hammer.of(server.name, READY)[-1].status == 200
