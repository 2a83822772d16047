"""What passes tell the log."""

from __future__ import annotations

import logging

from corehost.core.plan import Step
from corehost.core.results import MigrationReport, StepResult
from corehost.migrate.observer import Observer

_log = logging.getLogger("corehost")


class Journal(Observer):
    """Writes a record for each event of one pass."""

    def __init__(self) -> None:
        self._waiting: str | None = None

    def waiting(self, message: str) -> None:
        """Once for each new reason: a look comes several times a second."""
        if message != self._waiting:
            self._waiting = message
            _log.info("%s", message, extra={"event": "pass.waiting"})

    def step_started(self, step: Step) -> None:
        """A step begins here."""
        self._waiting = None
        _log.info("%s started", step.node, extra=step.extra("step.started"))

    def step_finished(self, step: Step, result: StepResult) -> None:
        """It was committed, or has failed."""
        took = round(result.duration_ms, 3)
        if result.outcome == "applied":
            extra = step.extra("step.finished", duration_ms=took)
            _log.info("%s applied in %.0f ms", step.node, took, extra=extra)
        else:
            extra = step.extra("step.failed", duration_ms=took)
            _log.error("%s failed after %.0f ms: %s", step.node, took, result.error, extra=extra)

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """It could not have its locks, or lost its connection."""
        extra = step.extra("step.retried", attempt=attempt)
        _log.info("%s is tried again after attempt %d: %s", step.node, attempt, reason, extra=extra)

    def passed(self, report: MigrationReport) -> None:
        """The pass has ended, well or not."""
        took = sum(result.duration_ms for result in report.applied)
        _log.info(
            "the pass has ended: %d steps applied here, waited %.0f ms, %s",
            len(report.applied),
            report.waited_ms,
            "ready" if report.ready else "not ready",
            extra={
                "event": "pass.finished",
                "duration_ms": round(took + report.waited_ms, 3),
                "applied": len(report.applied),
                "waited_ms": round(report.waited_ms, 3),
                "ready": report.ready,
            },
        )
