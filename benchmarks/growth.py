"""How the cost of a start with nothing to do grows with the number of revisions, and of branches."""

from __future__ import annotations

from benchmarks.check import FLOOR, check, floor, stamp, stock
from benchmarks.cost import FEW, compared
from benchmarks.table import Plot, Table
from benchmarks.trees import Tree, grow
from benchmarks.world import World

SIZES = (100, 1000, 3000)
WIDTHS = (1, 30, 300)


def measure(world: World) -> Table:
    """Trees of several sizes in ten branches, then 900 revisions in ever more branches."""
    by_size = [(size, grow(world.site(), revisions=size, branches=10)) for size in SIZES]
    by_width = [(width, grow(world.site(), revisions=900, branches=width)) for width in WIDTHS]
    plots = [
        _plot(world, "check-revisions", "revisions, in 10 branches", by_size),
        _plot(world, "check-branches", "branches, with 900 revisions", by_width),
    ]
    rows = [
        [plot.x, f"{number:,}", *(f"{dict(points)[number] * 1000:.0f} ms" for points in plot.lines.values())]
        for plot in plots
        for number, _ in plot.lines[FLOOR]
    ]
    return Table(
        columns=("number of", "", *plots[0].lines),
        rows=rows,
        note=f"CPU of the whole process, nothing pending; medians of {FEW} after one that does not count.",
        plots=plots,
    )


def _plot(world: World, name: str, x: str, trees: list[tuple[int, Tree]]) -> Plot:
    lines: dict[str, list[tuple[float, float]]] = {}
    for size, tree in trees:
        with world.database() as url:
            stamp(tree, url)
            found = compared(
                {
                    "corehost check": check(tree, url),
                    "Alembic alone": stock(tree, url),
                    FLOOR: floor(tree, url),
                },
                rounds=FEW,
            )
        for who, sample in found.items():
            lines.setdefault(who, []).append((size, round(sample.cpu, 4)))
    return Plot(name=name, x=x, y="CPU seconds, nothing pending", lines=lines)
