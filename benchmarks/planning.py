"""How long a plan takes, by the number of revisions and the shape of the graph; no database is asked."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cost import FEW
from benchmarks.table import Goal, Plot, Table
from benchmarks.world import World
from corehost.core.branch import Branch, Origin
from corehost.core.graph import Graph
from corehost.core.namespace import Namespace
from corehost.core.plan import make_plan
from corehost.core.requirement import Requirement
from corehost.core.revision import Revision
from corehost.core.tree import BranchTree

SIZES = (2500, 5000, 10000)
BRANCHES = 500
SHARE = 0.02
"""Of the links, how many contradict the order of the branches, in the second shape."""
Shape = Callable[[int, int], Graph]


def measure(world: World) -> Table:
    """Lines that are linked now and then, and the same with edges against the order of their branches."""
    rows, lines = [], {}
    for name, shape in (("in order", ordered), ("against the order of branches", contradicting)):
        points = []
        for size in SIZES:
            took = statistics.median(_seconds(shape, size) for _ in range(FEW))
            points.append((size, round(took, 4)))
            rows.append([name, f"{size:,}", f"{took:.2f} s", f"{took / size * 1e6:.0f} µs"])
        lines[name] = points
    most = dict(lines["in order"])[10000]
    return Table(
        columns=("links between branches", "revisions", "graph and plan", "for each revision"),
        rows=rows,
        note=f"{BRANCHES} branches; CPU seconds from headers to the ordered steps, medians of {FEW}.",
        goals=[
            Goal(
                what=f"10,000 revisions in {BRANCHES} branches: seconds of graph and plan",
                against="",
                goal=1.0,
                cpu=most,
                by="cpu",
            )
        ],
        plots=[Plot(name="planning", x=f"revisions, in {BRANCHES} branches", y="CPU seconds", lines=lines)],
    )


def ordered(size: int, branches: int) -> Graph:
    """Each branch requires two before it; every tenth revision depends on one of those."""
    chance = random.Random(size)
    return _graph(size, branches, lambda place: chance.randrange(place) if place else None)


def contradicting(size: int, branches: int) -> Graph:
    """The same, but some links lead to a branch that comes later."""
    chance = random.Random(size)

    def other(place: int) -> int | None:
        if chance.random() < SHARE and place + 1 < branches:
            return chance.randrange(place + 1, branches)
        return chance.randrange(place) if place else None

    return _graph(size, branches, other)


def _graph(size: int, branches: int, other: Callable[[int], int | None]) -> Graph:
    chance = random.Random(branches)
    each = size // branches
    trees = []
    for place in range(branches):
        name = f"b{place:04d}"
        earlier: Sequence[int] = chance.sample(range(place), min(2, place))
        branch = Branch(
            name=name,
            namespace=Namespace(schema=name, version_table="alembic_version"),
            locations=(),
            script_location=Path(name),
            origin=Origin(distribution=name, version="1"),
            requires=tuple(Requirement.parse(f"b{one:04d}") for one in sorted(earlier)),
        )
        revisions = []
        for number in range(each):
            depends = ()
            # a link leads to an earlier revision's number: so no two can wait for each other
            if number and number % 5 == 4 and (to := other(place)) is not None:
                depends = (f"b{to:04d}r{number - 1}",)
            revisions.append(
                Revision(
                    revision=f"{name}r{number}",
                    down_revision=(f"{name}r{number - 1}",) if number else (),
                    depends_on=depends,
                    path=f"{name}/{number}.py",
                )
            )
        trees.append((branch, revisions))
    return Graph([BranchTree(branch, revisions) for branch, revisions in trees])


def _seconds(shape: Shape, size: int) -> float:
    began = time.process_time()
    plan = make_plan(shape(size, BRANCHES), {})
    assert len(plan.steps) == size
    return time.process_time() - began
