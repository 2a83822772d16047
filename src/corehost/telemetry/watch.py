"""One pass as log, numbers and spans see it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from corehost.core.plan import Step
from corehost.core.results import BranchCount, MigrationReport, StepResult
from corehost.migrate.observer import Observer
from corehost.telemetry.journal import Journal
from corehost.telemetry.measures import Measures
from corehost.telemetry.spans import PassSpans, tracing

_log = logging.getLogger("corehost")


class PassWatch(Observer):
    """Tells journal, measures and spans; what fails in somebody's exporter is logged and changes nothing."""

    def __init__(self, measures: Measures):
        self._watchers: list[Any] = [Journal(), measures]
        self._spans: PassSpans | None = None
        if (trace := tracing()) is not None:
            self._tell(lambda _: self._trace(trace), self)

    def looked(self, branches: Callable[[], Sequence[BranchCount]]) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.looked(branches))

    def waiting(self, message: str) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.waiting(message))

    def step_started(self, step: Step) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.step_started(step))

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.step_finished(step, result))

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.retrying(step, reason, attempt))

    def retried(self, reason: str) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.retried(reason))

    def passed(self, report: MigrationReport) -> None:
        """Tell each."""
        self._each(lambda watcher: watcher.passed(report))

    def end(self, error: BaseException | None) -> None:
        """End the spans."""
        if (spans := self._spans) is not None:
            self._tell(lambda _: spans.end(error), self)

    def _trace(self, trace: Any) -> None:
        self._spans = PassSpans(trace)
        self._watchers.append(self._spans)

    def _each(self, tell: Callable[[Any], object]) -> None:
        for watcher in self._watchers:
            self._tell(tell, watcher)

    @staticmethod
    def _tell(tell: Callable[[Any], object], watcher: object) -> None:
        try:
            tell(watcher)
        except Exception:
            _log.exception("telemetry failed", extra={"event": "telemetry.failed"})


@contextmanager
def watched_pass(measures: Measures) -> Iterator[PassWatch]:
    """Watch a pass that runs inside; a MigrationError's report counts as what it did."""
    watch = PassWatch(measures)
    try:
        yield watch
    except BaseException as error:
        watch.passed(getattr(error, "report", None) or MigrationReport())
        watch.end(error)
        raise
    watch.end(None)
