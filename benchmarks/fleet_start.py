"""Eight web servers that start at once, and a client that asks all of them from before they listen."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.table import Table
from benchmarks.world import World
from support.hammer import APPLICATION, HEALTH, READY, Answer, Hammer, Schema, too_early
from support.logged import plugin, revision, with_log
from support.packages import OWN_GROUPS
from support.processes import wait_until
from support.web_servers import Kind, WebServer, serve

SERVERS: Sequence[Kind] = ("uvicorn", "gunicorn") * 4
SLOW = 'op.execute("SELECT pg_sleep(2)")'
SECRET = "hunter2"
FAILS = f'raise RuntimeError("no route to postgresql://stock:{SECRET}@store/stock")'
PATIENCE = 240.0
GATED = {"uvicorn": "asgi_app", "gunicorn": "wsgi_app"}
BARE = {"uvicorn": "bare_asgi", "gunicorn": "bare_wsgi"}


def measure(world: World) -> Table:
    """Three starts: one that goes well, one in which a plugin fails, and one without a gate."""
    load = os.getloadavg()[0]
    return Table(
        columns=(
            "start",
            "requests",
            "nobody listened",
            "503",
            "200 of the application",
            "ready",
            "too early",
            "first ready",
            "last ready",
        ),
        rows=[
            _row("an empty database, three migrations of 2 s", *_well(world)),
            _row("the same, then a plugin's migration that fails", *_failing(world)),
            _row("without a gate, `corehost migrate` beside it", *_bare(world)),
        ],
        note=(
            "Four uvicorn, four gunicorn of two workers. Too early: a 200 or a ready while the newest table "
            "was certainly not there yet, or an application that was reached and failed. Times since the "
            "first start, as the client saw them, which shares its cores with the servers. Load average "
            f"before: {load:.0f}."
        ),
    )


def start(
    world: World,
    kinds: Sequence[Kind],
    *,
    database: str,
    site: Path,
    reads: str,
    apps: dict[str, str] = GATED,
) -> list[WebServer]:
    """Start servers of these kinds at once."""
    return [
        serve(
            world.processes,
            kind,
            number,
            target=f"support.served:{apps[kind]}",
            database=database,
            path=[site],
            extra={"SERVED_TABLE": reads},
        )
        for number, kind in enumerate(kinds, 1)
    ]


def _installed(world: World, database: str) -> Path:
    with_log(database)
    site = world.site()
    plugin(site, "accounts", revision("accounts", 1, SLOW))
    plugin(site, "orders", *(revision("orders", n, SLOW) for n in (1, 2)), requires=("accounts",))
    return site


def _well(world: World) -> tuple[list[Answer], list[Answer], float]:
    with world.database() as database:
        site = _installed(world, database)
        began = time.monotonic()
        servers = start(world, SERVERS, database=database, site=site, reads="orders.t2")
        with Schema(database, "orders.t2") as schema, Hammer(servers) as hammer:
            _wait_for_each(servers, lambda server: _has(hammer, server, APPLICATION, 200))
        _stop(servers)
        return hammer.answers, too_early(hammer.answers, absent_at=schema.last_absent), began


def _failing(world: World) -> tuple[list[Answer], list[Answer], float]:
    with world.database() as database:
        site = _installed(world, database)
        plugin(site, "stock", revision("stock", 1, FAILS), after=("orders",))
        began = time.monotonic()
        servers = start(world, SERVERS, database=database, site=site, reads="orders.t2")
        with Hammer(servers) as hammer:
            _wait_for_each(servers, lambda server: _names_the_plugin(hammer, server))
        _stop(servers)
        assert SECRET.encode() not in b"".join(answer.body for answer in hammer.answers if answer.status)
        return hammer.answers, too_early(hammer.answers, absent_at=time.monotonic()), began


def _bare(world: World) -> tuple[list[Answer], list[Answer], float]:
    with world.database() as database:
        site = _installed(world, database)
        began = time.monotonic()
        servers = start(world, SERVERS, database=database, site=site, reads="orders.t2", apps=BARE)
        with Schema(database, "orders.t2") as schema, Hammer(servers) as hammer:
            migrating = world.processes.corehost("migrate", database=database, path=[site], extra=OWN_GROUPS)
            _wait_for_each(servers, lambda server: _has(hammer, server, APPLICATION, 200))
            assert migrating.wait(PATIENCE).returncode == 0
        _stop(servers)
        return hammer.answers, too_early(hammer.answers, absent_at=schema.last_absent), began


def _wait_for_each(servers: Sequence[WebServer], condition: Callable[[WebServer], bool]) -> None:
    for server in servers:
        wait_until(lambda server=server: condition(server), seconds=PATIENCE)  # type: ignore[misc]


def _has(hammer: Hammer, server: WebServer, path: str, status: int) -> bool:
    return any(answer.status == status for answer in hammer.of(server.name, path))


def _names_the_plugin(hammer: Hammer, server: WebServer) -> bool:
    """Whether it says that it failed, or that it waits for the next try of what failed elsewhere."""
    told = [json.loads(answer.body) for answer in hammer.of(server.name, HEALTH) if answer.status]
    return any("stock1" in (message := body.get("message", "")) and "failed" in message for body in told)


def _stop(servers: Sequence[WebServer]) -> None:
    for server in servers:
        server.stop()


def _row(name: str, answers: list[Answer], early: list[Answer], began: float) -> list[str]:
    statuses = Counter(answer.status for answer in answers)
    ready = [answer for answer in answers if answer.path in (READY, HEALTH) and _says_ready(answer)]
    served = [answer for answer in answers if answer.path == APPLICATION and answer.status == 200]
    first: dict[str, float] = {}
    for answer in ready:
        first.setdefault(answer.server, answer.ended - began)
    counts = (len(answers), statuses[0], statuses[503], len(served), len(ready), len(early))
    times = [f"{seconds:.1f} s" for seconds in sorted(first.values())] or ["never"]
    return [name, *map(str, counts), times[0], times[-1]]


def _says_ready(answer: Answer) -> bool:
    return answer.status == 200 and json.loads(answer.body).get("ready") is True
