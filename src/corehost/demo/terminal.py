"""The display on a terminal: a live table of the instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from corehost.demo.row import Row
from corehost.demo.screen import PhaseView, Progress, Table, answers_of, waited_of, work_of

_STYLES: Final = {
    "starting": "dim",
    "looking": "dim",
    "waiting": "yellow",
    "preparing": "cyan",
    "migrating": "cyan",
    "ready": "green",
}
_WIDEST: Final = 110


class Terminal:
    """Draws with rich."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)
        self._console.width = min(self._console.width, _WIDEST)

    def say(self, text: str) -> None:
        """Show a paragraph."""
        self._console.print(text)

    def verbatim(self, text: str) -> None:
        """Show a line that is there to be copied: never folded."""
        self._console.print(f"  {text}", soft_wrap=True)

    @contextmanager
    def phase(self, title: str) -> Iterator[PhaseView]:
        """Show a table that changes, and stays as it was at the end."""
        self._console.print()
        self._console.print(Text(title, style="bold"))
        # without a thread of its own: each refresh is asked for
        with Live(console=self._console, auto_refresh=False) as live:
            yield _LiveTable(live)

    def table(self, table: Table) -> None:
        """Show a table."""
        grid = _grid()
        for column in table.columns:
            grid.add_column(column, justify="right" if column in table.numbers else "left", no_wrap=True)
        for cells in table.rows:
            grid.add_row(*(Text(cell) for cell in cells))
        self._console.print()
        self._console.print(Text(table.title, style="bold"))
        self._console.print(grid)


class _LiveTable:
    def __init__(self, live: Live):
        self._live = live

    def changed(self, row: Row, at: float) -> None:
        """Nothing: the next refresh shows it."""

    def show(self, progress: Progress) -> None:
        self._live.update(_picture(progress), refresh=True)


def _picture(progress: Progress) -> RenderableType:
    grid = _grid(expand=True)
    grid.add_column("#", justify="right", width=2)
    grid.add_column("state", width=9)
    grid.add_column("work", ratio=1)
    grid.add_column("waited", justify="right", width=7)
    grid.add_column("/readyz", width=18)
    for row in progress.rows:
        grid.add_row(
            str(row.number),
            Text(row.state, style=_STYLES[row.state]),
            _work(row),
            waited_of(row),
            Text(answers_of(row), style="green" if row.admitted_at is not None else "dim"),
        )
    return Group(grid, Text(f"  {progress.summary}"))


def _work(row: Row) -> Text:
    if row.state == "ready":
        return Text(work_of(row), style="" if row.applied else "dim")
    # on one line, or the table would change its height all the time
    style = "dim" if row.state == "waiting" else ""
    return Text(work_of(row), style=style, no_wrap=True, overflow="ellipsis")


def _grid(*, expand: bool = False) -> Grid:
    return Grid(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
        border_style="dim",
        expand=expand,
    )
