"""What readers of a busy table feel of an ALTER TABLE that waits behind a long query."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.table import Table
from benchmarks.world import World
from support.packages import create_table, revision_source, spec, write_plugin
from support.processes import wait_until

READERS = 8
LONG = 5.0
"""Seconds that the ALTER TABLE has to wait."""


@dataclass(kw_only=True)
class Readers:
    """Clients that read one row again and again, and how long each read took."""

    url: str
    times: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Read until told to stop."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.stop.wait(0.005):
                began = time.perf_counter()
                connection.execute("SELECT id FROM orders.orders LIMIT 1")
                self.times.append(time.perf_counter() - began)


def measure(world: World) -> Table:
    """The same ALTER TABLE with three lock time-outs, and with nobody altering anything."""
    site = world.site()
    write_plugin(
        site,
        "orders",
        spec_source=spec("orders"),
        revisions={"1": revision_source("o1", upgrade=create_table("orders"))},
        group="tests.plugins",
    )
    second = site / "orders" / "migrations" / "versions" / "2.py"
    rows = [_run(world, site, second, name, timeout) for name, timeout in _CASES]
    return Table(
        columns=("lock_timeout", "ALTER done after", "readers' median", "p99", "longest", "reads"),
        rows=rows,
        note=f"{READERS} readers while an ALTER TABLE waits {LONG:g} s for somebody who has read the table.",
    )


_CASES = (("nobody alters", None), ("0s (none)", "0s"), ("1s (default)", "1s"), ("100ms", "100ms"))


def _run(world: World, site: Path, second: Path, name: str, timeout: str | None) -> list[str]:
    second.unlink(missing_ok=True)
    with world.database() as url:
        assert world.migrate(url, site).wait().returncode == 0
        second.write_text(
            revision_source("o2", "o1", upgrade='op.add_column("orders", sa.Column("n", sa.Text))')
        )
        readers = Readers(url=url)
        threads = [threading.Thread(target=readers.read) for _ in range(READERS)]
        with psycopg.connect(url) as long, psycopg.connect(url, autocommit=True) as observer:
            long.execute("SELECT * FROM orders.orders")  # its lock stays until the transaction ends
            process = world.migrate(url, site, lock_timeout=timeout) if timeout is not None else None
            if process is not None:
                wait_until(lambda: observer.execute(_WAITS).fetchone())
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            time.sleep(LONG)
            long.rollback()
            if process is not None:
                ended = process.wait()
                assert ended.returncode == 0, ended.stderr
            took = time.perf_counter() - began
            readers.stop.set()
            for thread in threads:
                thread.join()
    times = sorted(readers.times)
    p99 = statistics.quantiles(times, n=100)[98]
    return [
        name,
        f"{took:.1f} s" if timeout is not None else "-",
        f"{statistics.median(times) * 1000:.1f} ms",
        f"{p99 * 1000:.1f} ms",
        f"{times[-1]:.2f} s",
        str(len(times)),
    ]


_WAITS = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%ALTER TABLE%'"""
