"""What a display of the demo has to offer, and the words that all displays share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from corehost.demo.row import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a phase is."""

    rows: tuple[Row, ...]
    """The instances, in their order."""
    elapsed: float | None
    """Seconds since all were let go; None before."""
    steps: int
    """How many steps the phase has, by anybody."""

    @property
    def summary(self) -> str:
        """One line."""
        if self.elapsed is None:
            return "starting the processes"
        applied = sum(len(row.applied) for row in self.rows)
        ready = sum(row.done for row in self.rows)
        steps = f"{applied} of {self.steps} steps applied" if self.steps else "nothing to apply"
        return f"{self.elapsed:.1f} s: {steps}, {ready} of {len(self.rows)} instances ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table to be shown."""

    title: str
    """What it is, one line."""
    columns: tuple[str, ...]
    """The columns' names."""
    rows: tuple[tuple[str, ...], ...]
    """The cells, as text."""
    numbers: frozenset[str] = frozenset()
    """The columns that are aligned to the right."""


class PhaseView(Protocol):
    """The display of one phase."""

    def changed(self, row: Row, at: float) -> None:
        """Something has happened to an instance, so many seconds after all were let go."""

    def show(self, progress: Progress) -> None:
        """How things are now; called several times a second."""


class Screen(Protocol):
    """A display of the demo."""

    def say(self, text: str) -> None:
        """Show a paragraph."""

    def verbatim(self, text: str) -> None:
        """Show a line that is there to be copied: never folded."""

    def phase(self, title: str) -> AbstractContextManager[PhaseView]:
        """Show a phase; the block ends with it, whichever way."""

    def table(self, table: Table) -> None:
        """Show a table."""


def work_of(row: Row) -> str:
    """What an instance runs, waits for, or has done."""
    if row.state == "ready":
        return f"applied {row.work}" if row.applied else "applied nothing"
    return f"for {row.doing}" if row.state == "waiting" else row.doing


def waited_of(row: Row) -> str:
    """How long it waited; empty where it did not, or has not told yet."""
    return f"{row.waited:.1f} s" if row.waited else ""


def answers_of(row: Row) -> str:
    """What its /readyz has said so far."""
    refused = [f"{row.refused} x 503"] if row.refused else []
    return ", then ".join([*refused, "200"] if row.admitted_at is not None else refused)
