"""What a measurement finds, where it is kept, and how the docs show it."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGES = ROOT / "docs"
_BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """A ratio (or seconds) that is to be reached, and the one that was measured."""

    what: str
    against: str
    goal: float
    """The largest that is good enough."""
    wall: float | None = None
    """The ratio of the medians of seconds from start to end, or seconds where there is nothing against it."""
    cpu: float | None = None
    """The ratio of the medians of user and system time."""
    by: str = "wall"
    """Which of the two is held against the goal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """Lines through measured points."""

    name: str
    """The file's name, without what it ends with."""
    x: str
    """What the horizontal axis has."""
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """Its points, by what a line shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table of figures."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    """What was measured, in a sentence."""
    goals: Sequence[Goal] = ()
    """The goals that it shows to be reached, or not."""
    plots: Sequence[Plot] = ()
    """What is drawn of it."""


def machine(server_version: str) -> str:
    """What it was measured on, in a line."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, PostgreSQL {server_version}"
    )


def keep(name: str, table: Table, *, on: str, how: str | None = None) -> None:
    """Write a table, and the command that measures it again, in place of the last one of that name."""
    results = read()
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    results[name] = {**asdict(table), "machine": on, "measured": now, "how": how or f"nox -s bench -- {name}"}
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def read() -> dict[str, Any]:
    """All results that there are."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def pages() -> list[Path]:
    """The pages that show a measurement."""
    return [page for page in sorted(PAGES.rglob("*.md")) if _BLOCK.search(page.read_text())]


def rendered(text: str, results: Mapping[str, Any]) -> str:
    """A page with every block of figures as the results have it."""
    return _BLOCK.sub(lambda found: found[1] + _block(results, found[2]) + found[3], text)


def render() -> None:
    """Write the results into the pages that show them."""
    results = read()
    for page in pages():
        page.write_text(rendered(page.read_text(), results))


def _block(results: Mapping[str, Any], name: str) -> str:
    if name == "goals":
        return _goals(results)
    if name not in results:
        return f"Not measured yet: `nox -s bench -- {name}`.\n"
    found = results[name]
    lines = [_row(found["columns"]), _row(["---"] * len(found["columns"]))]
    lines += [_row(row) for row in found["rows"]]
    how = found.get("how", f"nox -s bench -- {name}")
    closing = f"{found['note']} Measured {found['measured']} on {found['machine']}: `{how}`."
    return "\n".join([*lines, "", closing.strip(), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _goals(results: Mapping[str, Any]) -> str:
    """Every goal of every measurement, and how far it is reached."""
    lines = [_row(("what", "against", "goal", "wall", "CPU", "reached", "measured by")), _row(["---"] * 7)]
    for name, found in results.items():
        for goal in found.get("goals", ()):
            figures = [_figure(goal["wall"], goal["against"]), _figure(goal["cpu"], goal["against"])]
            reached = "yes" if goal[goal["by"]] <= goal["goal"] else "**no**"
            least = _figure(goal["goal"], goal["against"])
            lines.append(
                _row((goal["what"], goal["against"] or "-", f"at most {least}", *figures, reached, name))
            )
    return "\n".join([*lines, ""])


def _figure(number: float | None, against: str) -> str:
    """A ratio, or seconds where there is nothing to compare with."""
    if number is None:
        return "-"
    return f"{number:.2f}" if against else f"{number:.2f} s"
