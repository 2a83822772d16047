"""The state of this instance, as probes read it, kept up to date by what the pass tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from corehost.core.plan import Step
from corehost.core.results import Readiness, StepResult
from corehost.migrate import Observer
from corehost.postgres.ledger import without_secrets


class Board(Observer):
    """The instance's state, as probes read it: one value, replaced whole, so that no reader locks."""

    def __init__(self) -> None:
        self.readiness = Readiness(ready=False, state="starting", since=datetime.now(UTC))
        self._steps = 0
        self._left = 0

    def set(self, state: Any, **details: Any) -> None:
        """Enter a state, or tell more of it."""
        since = self.readiness.since if self.readiness.state == state else datetime.now(UTC)
        self.readiness = Readiness(ready=state == "ready", state=state, since=since, **details)

    def failed(self, error: BaseException) -> None:
        """The start has failed; probes say why, without secrets."""
        where = getattr(error, "where", None)
        self.set(
            "failed",
            branch=getattr(where, "branch", None),
            revision=getattr(where, "revision", None),
            message=without_secrets(getattr(error, "message", type(error).__name__)),
        )

    def planned(self, steps: int) -> None:
        self._steps = max(self._steps, steps)
        self._left = steps

    def waiting(self, message: str) -> None:
        self.set("waiting", message=message, step=self._steps - self._left, steps=self._steps)

    def step_started(self, step: Step) -> None:
        done = self._steps - self._left
        self.set(
            "migrating",
            branch=step.node.branch,
            revision=step.node.revision,
            step=done + 1,
            steps=self._steps,
        )

    def step_finished(self, step: Step, result: StepResult) -> None:
        self._left -= result.outcome == "applied"


class Both(Observer):
    """Tells two observers."""

    def __init__(self, first: Observer, second: Observer):
        self._observers = (first, second)

    def planned(self, steps: int) -> None:
        for observer in self._observers:
            observer.planned(steps)

    def waiting(self, message: str) -> None:
        for observer in self._observers:
            observer.waiting(message)

    def step_started(self, step: Step) -> None:
        for observer in self._observers:
            observer.step_started(step)

    def step_finished(self, step: Step, result: StepResult) -> None:
        for observer in self._observers:
            observer.step_finished(step, result)

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        for observer in self._observers:
            observer.retrying(step, reason, attempt)
