"""How long a namespace's lock stays away after its holder is gone, by what happened to the holder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.table import Table
from benchmarks.world import World
from corehost.core.namespace import lock_key
from corehost.embedded import find_bindir
from support.cluster import Cluster
from support.dropped_route import DroppedRoute
from support.logged import plugin
from support.packages import OWN_GROUPS, revision_source
from support.processes import Process, wait_until
from support.wire import Wire

IDLE = "idle in its transaction"
BUSY = "in a statement of 20 s"
TIMEOUT = "2s"
"""holder_idle_timeout; five minutes by default."""
_BODIES = {
    IDLE: 'op.execute("SELECT 1")\nimport time\ntime.sleep(60)',
    BUSY: 'op.execute("SELECT pg_sleep(20)")',
}
_STATES = {IDLE: "idle in transaction", BUSY: "active"}
_HOLDER = """
SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.mode = 'ExclusiveLock' AND a.state = %s AND a.query ~ %s"""
_TRY = "SELECT pg_try_advisory_lock(%(key)s) AND pg_advisory_unlock(%(key)s)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """An instance in the middle of a step."""

    process: Process
    observer: psycopg.Connection

    def seconds_until_free(self, fault: Callable[[], object]) -> float:
        """Let the fault happen; how long until the lock can be had."""
        began = time.perf_counter()
        fault()
        parameters = {"key": lock_key("orders")}
        while self.observer.execute(_TRY, parameters).fetchone() != (True,):
            time.sleep(0.01)
            assert time.perf_counter() - began < 90
        return time.perf_counter() - began


def measure(world: World) -> Table:
    """Each fault three times, the middle one shown; the last column is what bounds it."""
    rows = []
    for doing in (IDLE, BUSY):
        for name, run, bound in _FAULTS:
            if doing == BUSY and name == "SIGSTOP":
                continue  # a holder whose statement runs is at work, whoever started it
            times = sorted(run(world, doing) for _ in range(3))
            rows.append([name, doing, f"{times[1]:.2f} s", bound[doing]])
    return Table(
        columns=("what happens to the holder", "which is", "lock free after", "bounded by"),
        rows=rows,
        note=f"holder_idle_timeout = {TIMEOUT} (1h where the route drops); the middle one of three.",
    )


def _killed(world: World, doing: str) -> float:
    with _holder(world, doing) as holder:
        return holder.seconds_until_free(holder.process.kill)


def _stopped(world: World, doing: str) -> float:
    with _holder(world, doing) as holder:
        return holder.seconds_until_free(lambda: holder.process.send(signal.SIGSTOP))


def _swallowed(world: World, doing: str) -> float:
    with world.database() as url, Wire(url) as wire, _on(world, doing, url=wire.url, direct=url) as holder:
        return holder.seconds_until_free(wire.swallow)


def _dropped(world: World, doing: str) -> float:
    bindir = find_bindir(None)
    with ExitStack() as stack:
        route = stack.enter_context(DroppedRoute())
        cluster = stack.enter_context(Cluster(bindir, {"listen_addresses": route.server}))
        url = f"host={route.server} user=postgres dbname=postgres"
        holder = stack.enter_context(
            _on(world, doing, url=url, direct=cluster.url, prefix=route.prefix, timeout="1h")
        )
        return holder.seconds_until_free(route.drop)


_FAULTS = [
    ("kill -9", _killed, {IDLE: "the kernel", BUSY: "client_connection_check_interval"}),
    ("SIGSTOP", _stopped, {IDLE: "holder_idle_timeout", BUSY: ""}),
    (
        "a proxy between stops forwarding",
        _swallowed,
        {IDLE: "holder_idle_timeout", BUSY: "the statement, then holder_idle_timeout"},
    ),
]
if os.geteuid() == 0 and shutil.which("ip"):
    _FAULTS.append(("the route drops every packet", _dropped, dict.fromkeys((IDLE, BUSY), "TCP keepalives")))


@contextmanager
def _holder(world: World, doing: str) -> Iterator[Holder]:
    with world.database() as url, _on(world, doing, url=url, direct=url) as holder:
        yield holder


@contextmanager
def _on(
    world: World,
    doing: str,
    *,
    url: str,
    direct: str,
    prefix: tuple[str, ...] = (),
    timeout: str = TIMEOUT,
) -> Iterator[Holder]:
    """An instance that holds the lock of ``orders``, seen by an observer with a way of its own."""
    site: Path = world.site()
    plugin(site, "orders", revision_source("orders1", upgrade=_BODIES[doing]))
    extra = {**OWN_GROUPS, "COREHOST_HOLDER_IDLE_TIMEOUT": timeout}
    command = [*prefix, sys.executable, "-m", "corehost", "migrate"]
    with psycopg.connect(direct, autocommit=True) as observer:
        process = world.processes.start(command, database=url, path=[site], extra=extra)
        query = "SELECT 1" if doing == IDLE else "pg_sleep"
        wait_until(lambda: observer.execute(_HOLDER, [_STATES[doing], query]).fetchone())
        try:
            yield Holder(process=process, observer=observer)
        finally:
            process.kill()
