"""How a pass goes, told on standard error: a line for each event, or a live line on a terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from corehost.cli.problems import complain
from corehost.cli.signals import Interrupted, received
from corehost.core.instances import Instance
from corehost.core.plan import Step
from corehost.core.results import StepResult
from corehost.core.rows import Rows
from corehost.migrate.observer import Observer

_SELDOM: Final = 10.0
"""Seconds between two lines about the same step."""


class Quiet(Observer):
    """Tells nothing, and keeps what this process has applied: a signal leaves no report of it."""

    def __init__(self) -> None:
        self.applied: list[StepResult] = []

    def planned(self, steps: int) -> None:
        """A look: the place where a signal counts whose exception was lost to another one."""
        if (number := received()) is signal.SIGINT:
            raise Interrupted(number)

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Keep what was committed."""
        if result.outcome == "applied":
            self.applied.append(result)


class Lines(Quiet):
    """A plain line for each event."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: str | None = None
        self._told_at = 0.0

    def waiting(self, message: str) -> None:
        """Once for each new reason: a look comes several times a second."""
        if message != self._waiting:
            self._waiting = message
            complain(message)

    def held_by(self, holder: Instance | None) -> None:
        """A line now and then, of a holder that tells how far it is."""
        if holder is not None and self._is_time():
            complain(f"waiting for {holder}")

    def progressed(self, step: Step, rows: Rows) -> None:
        """A line now and then."""
        if self._is_time():
            complain(f"{step.node} has done {rows}")

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._told_at < _SELDOM:
            return False
        self._told_at = now
        return True

    def step_started(self, step: Step) -> None:
        """One line."""
        self._waiting = None
        complain(f"{step.node} started{f': {step.message}' if step.message else ''}")

    def step_finished(self, step: Step, result: StepResult) -> None:
        """One line with its time."""
        super().step_finished(step, result)
        complain(f"{step.node} {_ended(result)}")

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """One line for each attempt."""
        complain(f"{step.node} is tried again after attempt {attempt}: {reason}")


class Live(Lines):
    """One line that moves, above it what has been done."""

    def __init__(self, display: Any):
        super().__init__()
        self._display = display
        self._task = display.add_task("looking", total=None)
        self._done = 0

    def planned(self, steps: int) -> None:
        """The whole is what is left and what was done here."""
        super().planned(steps)
        self._display.update(self._task, total=self._done + steps or None, completed=self._done)

    def waiting(self, message: str) -> None:
        """Shown as long as it lasts, until the holder is heard of."""
        if message != self._waiting:
            self._waiting = message
            self._show(message)

    def held_by(self, holder: Instance | None) -> None:
        """Shown in place of the lock."""
        if holder is not None:
            self._show(f"waiting for {holder}")

    def progressed(self, step: Step, rows: Rows) -> None:
        """Shown behind the step."""
        self._show(f"{step.node}  {step.message}  {rows}")

    def step_started(self, step: Step) -> None:
        """Shown as long as it runs."""
        self._waiting = None
        self._show(f"{step.node}  {step.message}")

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Stays above the line."""
        super().step_finished(step, result)
        self._done += result.outcome == "applied"
        self._display.update(self._task, completed=self._done)

    def _show(self, text: str) -> None:
        self._display.update(self._task, description=text)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Quiet]:
    """The observer that suits standard error."""
    if quiet:
        yield Quiet()
    elif sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Lines()
    else:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as display:
            yield Live(display)


def _ended(result: StepResult) -> str:
    if result.outcome == "applied":
        return f"applied in {result.duration_ms:.0f} ms"
    return f"failed after {result.duration_ms:.0f} ms"
