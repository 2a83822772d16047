"""A fleet of instances that start at once: how long until the last is ready, and what a waiting one costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.check import FLOOR, floor
from benchmarks.cost import FEW, run
from benchmarks.table import Goal, Plot, Table
from benchmarks.trees import CONTESTANTS, Body, Tree, corehost, grow
from benchmarks.world import World

FLEETS = (1, 4, 16, 32, 64)
MIGRATE = corehost("migrate", "-q")


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One instance of a fleet."""

    ready: float
    """Seconds from the fleet's start until it was ready, and ended."""
    cpu: float
    """Its seconds of user and system time."""
    ready_at: float
    """When that was, in seconds since the epoch."""


def measure(world: World) -> Table:
    """Eight namespaces shared by eight; one piece of work, and 32 that wait for it."""
    eight = grow(world.site(), revisions=8, branches=8, body=_sleep(4))
    one = grow(world.site(), revisions=1, body=_sleep(6))
    shared = [(start(world, eight, 1), start(world, eight, 8)) for _ in range(FEW)]
    rows = [
        _row("eight namespaces, 4 s of work in each", 1, [one for one, _ in shared]),
        _row("eight namespaces, 4 s of work in each", 8, [many for _, many in shared]),
    ]
    runs: dict[int, list[list[Instance]]] = {1: [], 32: []}
    idle, least = [], []
    for _ in range(FEW):
        for number, found in runs.items():
            found.append(start(world, one, number))
        with world.database() as url:
            idle += [floor(one, url)().cpu for _ in range(3)]
            least.append(fleet(32, one.environment(url), [sys.executable, CONTESTANTS / "floor.py"]))
    rows += [_row("one namespace, 6 s of work", number, found) for number, found in runs.items()]
    rows.append([f"none: {FLOOR}", "32", f"{statistics.median(map(_last, least)):.1f} s", "-", "-"])
    waiter = statistics.median(_waiters(runs[32]))
    last = {number: statistics.median(_last(one) for one in found) for number, found in runs.items()}
    goals = [
        Goal(
            what="eight namespaces, each 4 s of work in the server: eight instances",
            against="one instance",
            goal=0.3,
            wall=statistics.median(_last(many) for _, many in shared)
            / statistics.median(_last(one) for one, _ in shared),
        ),
        Goal(
            what="32 instances, 6 s of work in the server: last one ready",
            against="one instance",
            goal=1.6,
            wall=last[32] / last[1],
        ),
        Goal(
            what="32 instances: a waiting one's own CPU",
            against=FLOOR,
            goal=1.5,
            cpu=waiter / statistics.median(idle),
            by="cpu",
        ),
    ]
    return Table(
        columns=(
            "work",
            "instances",
            "last one ready after",
            "behind the work's end",
            "CPU of one that waits",
        ),
        rows=rows,
        note=f"All start at the same moment; the work is pg_sleep. Medians of {FEW} runs.",
        goals=goals,
        plots=[_plot(world, one)],
    )


def start(world: World, tree: Tree, number: int) -> list[Instance]:
    """So many ``corehost migrate`` at once, on an empty database."""
    with world.database() as url:
        env = tree.environment(url)
        run(corehost("index", "-q"), env)
        return fleet(number, env)


def fleet(number: int, env: dict[str, str], command: Sequence[str | Path] = MIGRATE) -> list[Instance]:
    """The same on a database, in an environment; each instance is watched by a thread of its own."""
    found: list[Instance] = []
    began = time.time()

    def watch(process: subprocess.Popen[bytes]) -> None:
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.time()
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        found.append(Instance(ready=ended - began, cpu=usage.ru_utime + usage.ru_stime, ready_at=ended))

    processes = [subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL) for _ in range(number)]
    threads = [threading.Thread(target=watch, args=(process,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == number
    return sorted(found, key=lambda one: one.ready)


def _sleep(seconds: int) -> Body:
    return lambda branch, number: f'op.execute("SELECT pg_sleep({seconds})")'


def _last(found: list[Instance]) -> float:
    return found[-1].ready


def _waiters(runs: list[list[Instance]]) -> list[float]:
    """The CPU of all but the busiest of each run, which has done the work."""
    return [cpu for found in runs for cpu in sorted(one.cpu for one in found)[:-1]]


def _lateness(found: list[Instance]) -> float:
    """From the first that is done, which has done the work or has seen its end at once, to the last."""
    return found[-1].ready_at - found[0].ready_at


def _row(work: str, number: int, runs: list[list[Instance]]) -> list[str]:
    waiting = statistics.median(_waiters(runs)) if number > 1 else None
    return [
        work,
        str(number),
        f"{statistics.median(_last(found) for found in runs):.1f} s",
        f"{statistics.median(_lateness(found) for found in runs):.2f} s" if number > 1 else "-",
        f"{waiting:.2f} s" if waiting is not None else "-",
    ]


def _plot(world: World, tree: Tree) -> Plot:
    points = [(number, round(_last(start(world, tree, number)), 3)) for number in FLEETS]
    return Plot(
        name="fleet",
        x="instances that start at once",
        y="seconds until the last one is ready",
        lines={"corehost migrate, 6 s of work": points, "the work alone": [(n, 6.0) for n in FLEETS]},
    )
