"""Who is told how a pass goes."""

from __future__ import annotations

from corehost.core.plan import Step
from corehost.core.results import StepResult


class Observer:
    """Does nothing; subclasses override what they want to know. Called on the thread of the pass."""

    def planned(self, steps: int) -> None:
        """The pass has found so many steps to do (by anybody)."""

    def waiting(self, message: str) -> None:
        """Nothing can be run here now; ``message`` says who holds what."""

    def step_started(self, step: Step) -> None:
        """This process begins a step."""

    def step_finished(self, step: Step, result: StepResult) -> None:
        """This process has committed a step, or it has failed."""

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """The step could not have its table locks, or lost its connection, and is tried again."""
