"""How a pass goes, told on standard error: a line for each event, or a live line on a terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from corehost.cli.problems import complain
from corehost.cli.signals import Interrupted, received
from corehost.core.plan import Step
from corehost.core.results import StepResult
from corehost.migrate.observer import Observer


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

    def waiting(self, message: str) -> None:
        """Once for each new reason: a look comes several times a second."""
        if message != self._waiting:
            self._waiting = message
            complain(message)

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
        """Shown as long as it lasts."""
        self._show(message)

    def step_started(self, step: Step) -> None:
        """Shown as long as it runs."""
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
