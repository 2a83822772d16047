"""Fleets of real web servers, uvicorn and gunicorn, and clients that do not wait for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
import pytest

from support.hammer import APPLICATION, HEALTH, LIVE, READY, Hammer, Schema, refused_after_ready, too_early
from support.logged import plugin, ran, revision, with_log
from support.processes import Processes, wait_until
from support.rollout import Service, roll
from support.web_servers import Kind, WebServer, serve

PAIR: Sequence[Kind] = ("uvicorn", "gunicorn")
GATED = {"uvicorn": "asgi_app", "gunicorn": "wsgi_app"}
BARE = {"uvicorn": "bare_asgi", "gunicorn": "bare_wsgi"}
SLOW = 'op.execute("SELECT pg_sleep(0.7)")'
SECRET = "hunter2"
FAILS = f'raise RuntimeError("no route to postgresql://stock:{SECRET}@store/stock")'
A_WHILE = 120.0
"""Seconds for eight servers to start on a machine that is busy."""

Start = Callable[..., list[WebServer]]


@pytest.fixture
def start(processes: Processes, site: Path, database: str) -> Start:
    """A function that starts servers of these kinds at once; a gunicorn has two workers."""
    with_log(database)
    numbers = count(1)

    def start(
        kinds: Sequence[Kind], *, reads: str, apps: dict[str, str] = GATED, seconds: float = 0.0
    ) -> list[WebServer]:
        return [
            serve(
                processes,
                kind,
                next(numbers),
                target=f"support.served:{apps[kind]}",
                database=database,
                path=[site],
                extra={"SERVED_TABLE": reads, "SERVED_SECONDS": str(seconds)},
            )
            for kind in kinds
        ]

    return start


def served(hammer: Hammer, server: WebServer) -> bool:
    """Whether the application has answered a request."""
    return any(answer.status == 200 for answer in hammer.of(server.name, APPLICATION))


def test_no_server_lets_anybody_in_before_its_schema_is_there(
    start: Start, site: Path, database: str
) -> None:
    """Eight servers that start on an empty database refuse all until the last revision is committed."""
    plugin(site, "accounts", revision("accounts", 1, SLOW))
    plugin(site, "orders", *(revision("orders", n, SLOW) for n in (1, 2)), requires=("accounts",))
    servers = start([*PAIR] * 4, reads="orders.t2")
    with Schema(database, "orders.t2") as schema, Hammer(servers, pause=0.05) as hammer:
        for server in servers:
            wait_until(lambda server=server: served(hammer, server), seconds=A_WHILE)  # type: ignore[misc]
    assert too_early(hammer.answers, absent_at=schema.last_absent) == []
    # nobody listened yet, or it was refused, or served: the application itself never failed
    assert {answer.status for answer in hammer.answers} == {0, 503, 200}
    assert ran(database) == ["accounts1", "orders1", "orders2"]


def test_whoever_is_told_ready_is_served(start: Start, site: Path) -> None:
    """After a server has said that it is ready it refuses no request, whichever worker gets it."""
    plugin(site, "orders", revision("orders", 1, SLOW))
    servers = start(PAIR, reads="orders.t1")
    with Hammer(servers, threads=4) as hammer:
        for server in servers:
            wait_until(lambda server=server: len(_ready(hammer, server)) > 20)  # type: ignore[misc]
    for server in servers:
        assert refused_after_ready(a for a in hammer.answers if a.server == server.name) == []


def _ready(hammer: Hammer, server: WebServer) -> list[object]:
    return [answer for answer in hammer.of(server.name, READY) if answer.status == 200]


def test_a_server_without_a_gate_is_found_out(
    start: Start, site: Path, database: str, processes: Processes
) -> None:
    """What is looked for in these tests is found where the migrations run beside a server without a gate."""
    plugin(site, "orders", revision("orders", 1, 'op.execute("SELECT pg_sleep(2)")'))
    servers = start(["uvicorn"], reads="orders.t1", apps=BARE)
    with Schema(database, "orders.t1") as schema, Hammer(servers) as hammer:
        wait_until(lambda: any(answer.status == 500 for answer in hammer.answers))
        assert processes.run("migrate", database=database, path=[site]).returncode == 0
        wait_until(lambda: schema.seen)
    assert too_early(hammer.answers, absent_at=schema.last_absent)


def test_a_plugin_that_fails_keeps_every_server_closed(start: Start, site: Path, database: str) -> None:
    """Where one plugin's migration fails nobody is ever let in, and each server says which plugin it was."""
    plugin(site, "orders", revision("orders", 1))
    plugin(site, "stock", revision("stock", 1, FAILS), after=("orders",))
    servers = start(PAIR, reads="orders.t1")
    with Hammer(servers, pause=0.05) as hammer:
        for server in servers:
            wait_until(lambda server=server: _failed(hammer, server), seconds=A_WHILE)  # type: ignore[misc]
        for server in servers:
            assert server.get(LIVE)[0] == 200
    assert {answer.status for answer in hammer.answers if answer.path != LIVE} == {0, 503}
    told = b"".join(answer.body for answer in hammer.answers if answer.status)
    password = psycopg.conninfo.conninfo_to_dict(database)["password"]
    for secret in (SECRET, str(password), "Traceback"):
        assert secret.encode() not in told


def _failed(hammer: Hammer, server: WebServer) -> bool:
    """Whether a server has said that it failed, and which plugin."""
    found = [json.loads(answer.body) for answer in hammer.of(server.name, HEALTH) if answer.status]
    return any(body["state"] == "failed" and body["branch"] == "stock" for body in found)


def test_a_rolling_update_fails_no_request(start: Start, site: Path, database: str) -> None:
    """Servers that are replaced one by one, under load, by those of a version with a new table serve all."""
    plugin(site, "orders", revision("orders", 1))
    old = start(["uvicorn", "gunicorn", "uvicorn"], reads="orders.t1", seconds=0.02)
    new: list[WebServer] = []

    def start_next(kind: Kind) -> WebServer:
        new.extend(start([kind], reads="orders.t2", seconds=0.02))
        return new[-1]

    with Service(old, clients=4) as service:
        wait_until(lambda: len(service.endpoints()) == len(old), seconds=A_WHILE)
        (site / "orders" / "migrations" / "versions" / "0002.py").write_text(revision("orders", 2, SLOW))
        kinds: Sequence[Kind] = ("gunicorn", "uvicorn", "gunicorn")
        roll(service, old, [partial(start_next, kind) for kind in kinds])
        wait_until(lambda: {answer.server for answer in service.answers} >= {server.name for server in new})
    assert [answer for answer in service.answers if answer.status != 200] == []
    assert ran(database) == ["orders1", "orders2"]
