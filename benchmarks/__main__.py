"""``python -m benchmarks [NAME …]``: measure, keep the results, write them into the docs."""

from __future__ import annotations

import importlib
import sys

import psycopg

from benchmarks.plots import draw
from benchmarks.table import keep, machine, render
from benchmarks.world import World

NAMES = (
    "apply",
    "busy_table",
    "check",
    "corpora",
    "fleet",
    "fleet_start",
    "growth",
    "lock_free",
    "memory",
    "others",
    "overhead",
    "planning",
    "profile",
    "rolling_update",
    "waiting",
)


def main(names: list[str]) -> None:
    """Measure what is named, by default everything."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        sys.exit(f"no such measurement: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        print(f"{name} …", flush=True)
        with World.open() as world:
            with psycopg.connect(world.server.url()) as connection:
                version = str(connection.info.server_version // 10000)
            table = importlib.import_module(f"benchmarks.{name}").measure(world)
        keep(name, table, on=machine(version))
        for plot in table.plots:
            draw(plot)
        for row in (table.columns, *table.rows):
            print("  " + " | ".join(row), flush=True)
    render()


if __name__ == "__main__":
    main(sys.argv[1:])
