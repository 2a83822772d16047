"""The display where there is no terminal: a line for each thing that happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from corehost.demo.row import Row
from corehost.demo.screen import PhaseView, Progress, Table, answers_of, waited_of, work_of


class Lines:
    """Writes plain lines, by default to standard output."""

    def __init__(self, output: TextIO | None = None):
        self._output = output or sys.stdout

    def say(self, text: str) -> None:
        """Write a paragraph."""
        print(text, file=self._output, flush=True)

    def verbatim(self, text: str) -> None:
        """Write a line that is there to be copied."""
        self.say(f"  {text}")

    @contextmanager
    def phase(self, title: str) -> Iterator[PhaseView]:
        """Write the title, then what happens, then how far it came."""
        self.say(f"\n{title}")
        view = _Lines(self)
        yield view
        if view.progress is not None:
            self.say(f"  {view.progress.summary}")

    def table(self, table: Table) -> None:
        """Write a table in columns."""
        self.say(f"\n{table.title}")
        lines = (table.columns, *table.rows)
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        for line in lines:
            cells = (
                cell.rjust(width) if column in table.numbers else cell.ljust(width)
                for cell, width, column in zip(line, widths, table.columns, strict=True)
            )
            self.say(f"  {'  '.join(cells)}".rstrip())


class _Lines:
    def __init__(self, lines: Lines):
        self.progress: Progress | None = None
        self._lines = lines
        self._said: dict[int, str] = {}

    def changed(self, row: Row, at: float) -> None:
        text = _text(row)
        if text and text != self._said.get(row.number):
            self._said[row.number] = text
            self._lines.say(f"  {at:6.2f} s  instance {row.number} {text}")

    def show(self, progress: Progress) -> None:
        self.progress = progress


def _text(row: Row) -> str:
    """What is new about an instance; empty where that is not worth a line."""
    if row.done:
        waited = f", waited {waited_of(row)}" if row.waited else ""
        return f"is ready: {work_of(row)}{waited}; /readyz said {answers_of(row)}"
    match row.state:
        case "waiting":
            return f"waits {work_of(row)}"
        case "preparing":
            return work_of(row)
        case "migrating":
            return f"migrates {work_of(row)}"
        case _:
            return ""
