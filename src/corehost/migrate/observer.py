"""Who is told how a pass goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from corehost.core.instances import Instance
from corehost.core.plan import Step
from corehost.core.results import BranchCount, StepResult
from corehost.core.rows import Rows


class Observer:
    """Does nothing; subclasses override what they want to know. Called on the thread of the pass."""

    def planned(self, steps: int) -> None:
        """The pass has found so many steps to do (by anybody)."""

    def looked(self, branches: Callable[[], Sequence[BranchCount]]) -> None:
        """The pass has looked; ``branches`` works out how each one stands, from any thread, when asked."""

    def waiting(self, message: str) -> None:
        """Nothing can be run here now; ``message`` says who holds what."""

    def held_by(self, holder: Instance | None) -> None:
        """How far the instance is that is waited for, where it tells; about once a second."""

    def step_started(self, step: Step) -> None:
        """This process begins a step."""

    def step_finished(self, step: Step, result: StepResult) -> None:
        """This process has committed a step, or it has failed."""

    def progressed(self, step: Step, rows: Rows) -> None:
        """How far the step that runs is, about once a second where its revision tells; on another thread."""

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """The step could not have its table locks, or lost its connection, and is tried again."""

    def retried(self, reason: str) -> None:
        """Something is tried again, for a reason out of a few: what :meth:`retrying` tells, for counting."""


class Tally(Observer):
    """Counts the steps of a pass."""

    def __init__(self) -> None:
        self.steps = 0
        """How many steps the plan had when it was longest."""
        self._left = 0

    @property
    def done(self) -> int:
        """How many of them are done, whoever did them."""
        return self.steps - self._left

    def planned(self, steps: int) -> None:
        """A look has found that so many are left."""
        self.steps = max(self.steps, steps)
        self._left = steps

    def step_finished(self, step: Step, result: StepResult) -> None:
        """One less, where it was committed."""
        self._left -= result.outcome == "applied"


class Several(Observer):
    """Tells several observers."""

    def __init__(self, *observers: Observer):
        self._observers: Final = observers

    def planned(self, steps: int) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.planned(steps)

    def looked(self, branches: Callable[[], Sequence[BranchCount]]) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.looked(branches)

    def waiting(self, message: str) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.waiting(message)

    def held_by(self, holder: Instance | None) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.held_by(holder)

    def step_started(self, step: Step) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.step_started(step)

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.step_finished(step, result)

    def progressed(self, step: Step, rows: Rows) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.progressed(step, rows)

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.retrying(step, reason, attempt)

    def retried(self, reason: str) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.retried(reason)
