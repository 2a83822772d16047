"""Draws what was measured: one SVG file for each plot, the same for the same figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.table import PAGES, Plot

FOLDER = PAGES / "plots"


def digest(plot: Mapping[str, Any]) -> str:
    """What a drawing says it was drawn from."""
    return hashlib.sha256(json.dumps(plot, sort_keys=True).encode()).hexdigest()[:16]


def draw(plot: Plot) -> None:
    """Write the plot's file; both axes logarithmic where the points span more than a factor of ten."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "corehost", "svg.fonttype": "none", "font.size": 10})
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for (name, points), mark in zip(plot.lines.items(), "os^Dv", strict=False):
        axes.plot(*zip(*points, strict=True), marker=mark, label=name)
    (x, y) = zip(*(point for points in plot.lines.values() for point in points), strict=True)
    axes.set_xscale("log")
    if max(y) > 10 * min(y):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    ticks = sorted(set(x))
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.grid(alpha=0.3)
    axes.legend()
    FOLDER.mkdir(exist_ok=True)
    drawn_from = digest(json.loads(json.dumps(asdict(plot))))
    figure.savefig(
        FOLDER / f"{plot.name}.svg", bbox_inches="tight", metadata={"Date": None, "Description": drawn_from}
    )
    pyplot.close(figure)
