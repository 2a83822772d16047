"""What 64 instances cost that wait for another one, and how soon the last of them is ready afterwards."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack

import psycopg

from benchmarks.cost import FEW, run
from benchmarks.memory import resident
from benchmarks.table import Goal, Table
from benchmarks.trees import CONTESTANTS, Tree, corehost, grow
from benchmarks.world import World
from support.processes import Process, wait_until

NUMBERS = (16, 64)
WATCHED = 10.0
"""Seconds for which connections and statements are counted."""
GATE = 4711
"""The work takes until whoever has this advisory lock gives it back."""
_CONNECTIONS = 50
_COUNTERS = """
SELECT sessions, xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"""
_BLOCKED = "SELECT 1 FROM pg_locks WHERE NOT granted"


def measure(world: World) -> Table:
    """A piece of work that lasts until everybody waits for it."""
    tree = grow(
        world.site(), revisions=1, body=lambda *_: f'op.execute("SELECT pg_advisory_xact_lock({GATE})")'
    )
    connecting = _connecting(world)
    rows, goals = [], []
    for number in NUMBERS:
        found = [_round(world, tree, number) for _ in range(FEW)]
        late, connections, statements, memory = (
            statistics.median(one[place] for one in found) for place in range(4)
        )
        rows.append(
            [str(number), f"{late:.2f} s", f"{connections:.1f}", f"{statements:.1f}", f"{memory:.0f} MB"]
        )
        if number == max(NUMBERS):
            goals.append(
                Goal(
                    what=f"{number} waiting instances: from the end of the work until the last is ready",
                    against="",
                    goal=0.5,
                    wall=late,
                )
            )
    return Table(
        columns=(
            "waiting instances",
            "last one ready after",
            "connections a second, of all",
            "statements a second, of all",
            "resident size of one",
        ),
        rows=rows,
        note=(
            f"Counted for {WATCHED:g} s while they wait; medians of {FEW} runs. All share this machine, and "
            f"a waiting instance holds no connection: one costs {connecting * 1000:.1f} ms of the client's "
            f"CPU alone, most of it for SCRAM, so that {max(NUMBERS)} of them keep two cores busy for "
            f"{max(NUMBERS) * connecting / 2:.2f} s."
        ),
        goals=goals,
    )


def _round(world: World, tree: Tree, number: int) -> tuple[float, float, float, float]:
    with (
        world.database() as url,
        ExitStack() as stack,
        psycopg.connect(url, autocommit=True) as gate,
    ):
        env = tree.environment(url)
        run(corehost("index", "-q"), env)
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        holder = _instance(stack, env)
        wait_until(lambda: gate.execute(_BLOCKED).fetchone(), seconds=600)
        others = [_instance(stack, env) for _ in range(number)]
        for process in others:
            process.wait_for_output("waiting", 600)
        before = _counted(gate)
        time.sleep(WATCHED)
        after = _counted(gate)
        memory = statistics.median(resident(process.pid) for process in others)
        released = time.time()
        gate.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        ended = [process.wait(600) for process in (holder, *others)]
        assert {one.returncode for one in ended} == {0}
        last = max(float(one.stdout) for one in ended)
    per_second = [(late - early) / WATCHED for early, late in zip(before, after, strict=True)]
    return last - released, per_second[0], per_second[1], memory


def _connecting(world: World) -> float:
    """Seconds of CPU of this process for a connection."""
    with world.database() as url:
        began = time.process_time()
        for _ in range(_CONNECTIONS):
            psycopg.connect(url).close()
        return (time.process_time() - began) / _CONNECTIONS


def _instance(stack: ExitStack, env: dict[str, str]) -> Process:
    process = Process([sys.executable, CONTESTANTS / "instance.py"], env=env)
    stack.callback(process.close)
    return process


def _counted(connection: psycopg.Connection) -> tuple[int, int]:
    connection.execute("SELECT pg_stat_clear_snapshot()")
    ((sessions, transactions),) = connection.execute(_COUNTERS).fetchall()
    return sessions, transactions
