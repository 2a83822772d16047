"""Eight web servers that are replaced one by one, under load, by those of a version with a new table."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.fleet_start import GATED, PATIENCE, SERVERS, SLOW
from benchmarks.table import Table
from benchmarks.world import World
from support.logged import plugin, revision, with_log
from support.processes import wait_until
from support.rollout import PRE_STOP, Service, roll
from support.web_servers import Kind, WebServer, serve

CLIENTS = 4


def measure(world: World) -> Table:
    """One update of the whole fleet, with a migration of two seconds in its first new server."""
    load = os.getloadavg()[0]
    with world.database() as database:
        site, numbers = world.site(), count(1)
        with_log(database)
        plugin(site, "orders", revision("orders", 1))

        def start(kind: Kind, reads: str) -> WebServer:
            return serve(
                world.processes,
                kind,
                next(numbers),
                target=f"support.served:{GATED[kind]}",
                database=database,
                path=[site],
                extra={"SERVED_TABLE": reads, "SERVED_SECONDS": "0.02"},
            )

        old = [start(kind, "orders.t1") for kind in SERVERS]
        with Service(old, clients=CLIENTS) as service:
            wait_until(lambda: len(service.endpoints()) == len(old), seconds=PATIENCE)
            _install_next(site)
            before, began = len(service.answers), time.monotonic()
            roll(service, old, [partial(start, kind, "orders.t2") for kind in SERVERS])
            seconds = time.monotonic() - began
        answers = sorted(service.answers, key=lambda answer: answer.ended)[before:]
        durations = sorted(answer.ended - answer.began for answer in answers)
        failed = sum(answer.status != 200 for answer in answers)
        row = (len(old), f"{seconds:.0f} s", len(answers), failed)
        longest = (durations[len(durations) // 2], durations[int(len(durations) * 0.99)], durations[-1])
    return Table(
        columns=("servers replaced", "in", "requests", "failed", "median", "p99", "longest"),
        rows=[[*map(str, row), *(f"{1000 * duration:.0f} ms" for duration in longest)]],
        note=(
            f"Four uvicorn, four gunicorn of two workers; {CLIENTS} clients, one request after the other, "
            f"each of 20 ms in the database; {PRE_STOP:g} s between leaving the Service and SIGTERM. The new "
            f"version brings a migration of 2 s. Load average before: {load:.0f}."
        ),
    )


def _install_next(site: Path) -> None:
    (site / "orders" / "migrations" / "versions" / "0002.py").write_text(revision("orders", 2, SLOW))
