"""What a revision costs beyond its own DDL: statements, round trips, and the server's and our own time."""

from __future__ import annotations

import re

from benchmarks.cost import run
from benchmarks.table import Table
from benchmarks.trees import Tree, corehost, grow, small_change
from benchmarks.world import World
from support.wire import Wire

REVISIONS = 60
_DDL = re.compile(r"CREATE TABLE b0|ALTER TABLE b0|CREATE INDEX b0")


def measure(world: World) -> Table:
    """Count what a proxy between client and server sees of 60 revisions, less what it sees of 30."""
    whole = grow(world.site(), revisions=REVISIONS, body=small_change)
    half = grow(world.site(), revisions=REVISIONS // 2, body=small_change)
    rows = []
    for name, command in (
        ("corehost migrate", lambda tree: corehost("migrate", "-q")),
        ("Alembic alone, a transaction per migration", lambda tree: tree.alembic("upgrade", "heads")),
    ):
        many, few = (_requests(world, tree, command(tree)) for tree in (whole, half))
        more = (many - few) / (REVISIONS // 2)
        rows.append([name, f"{more:.1f}", f"{more - 1:.1f}"])
    idle = _idle(world, whole)
    rows.append(["corehost check, nothing pending, in all", f"{idle}", "-"])
    return Table(
        columns=("process", "round trips for a revision of one statement", "of them beyond its own DDL"),
        rows=rows,
        note="Counted by a proxy between client and server; a connection's own start is not counted.",
    )


def _requests(world: World, tree: Tree, command: list) -> int:
    with world.database() as url, Wire(url) as wire:
        run(command, tree.environment(wire.url))
        return _asked(wire)


def _asked(wire: Wire) -> int:
    """The requests, without those that come with time, by which a long pass tells how far it is."""
    return sum("corehost.instance" not in request.text for request in wire.requests)


def _idle(world: World, tree: Tree) -> int:
    with world.database() as url:
        run(corehost("migrate", "-q"), tree.environment(url))
        run(corehost("index", "-q"), tree.environment(url))
        with Wire(url) as wire:
            run(corehost("check", "-q"), tree.environment(wire.url))
            return len(wire.requests)
