"""Spans of pass, branch and step for OpenTelemetry (extra ``otel``), where the process uses it.

corehost never imports OpenTelemetry by itself. Once something else in the process has, spans go to whatever
tracer provider is set there; without one they cost next to nothing and go nowhere.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from corehost.core.plan import Step
from corehost.core.results import MigrationReport, StepResult
from corehost.core.version import VERSION
from corehost.migrate.observer import Observer
from corehost.postgres.ledger import without_secrets

_Attributes = Mapping[str, str | int | float | bool]


def tracing() -> Any | None:
    """``opentelemetry.trace`` where the process has imported it."""
    return sys.modules.get("opentelemetry.trace")


class PassSpans(Observer):
    """The spans of one pass, all on its thread: the step's is the current one while it runs."""

    def __init__(self, trace: Any):
        self._trace = trace
        self._tracer = trace.get_tracer("corehost", VERSION)
        self._waiting: str | None = None
        self._branch: tuple[str, _Open] | None = None
        self._step: _Open | None = None
        self._pass = self._begin("corehost.pass", {})

    def waiting(self, message: str) -> None:
        """An event of the pass for each new reason."""
        if message != self._waiting:
            self._waiting = message
            self._pass.span.add_event("waiting", {"corehost.message": without_secrets(message)})

    def step_started(self, step: Step) -> None:
        """Begin the step's span, inside that of its branch."""
        self._waiting = None
        self._end_step()
        of_branch = {
            "corehost.branch": step.node.branch,
            "corehost.schema": step.namespace.schema,
            "db.system.name": "postgresql",
        }
        if self._branch is None or self._branch[0] != step.node.branch:
            self._end_branch()
            self._branch = step.node.branch, self._begin("corehost.branch", of_branch)
        self._step = self._begin(
            "corehost.step",
            {
                **of_branch,
                "corehost.revision": step.node.revision,
                "corehost.phase": step.facts.phase or "",
                "corehost.transactional": step.transactional,
            },
        )

    def step_finished(self, step: Step, result: StepResult) -> None:
        """End the step's span; a failure is one of its branch too."""
        if self._step is None:
            return
        self._step.span.set_attribute("corehost.outcome", result.outcome)
        if result.error is not None:
            for opened in (self._step, self._branch[1] if self._branch else self._step):
                self._fail(opened, result.error)
        step_span, self._step = self._step, None
        step_span.end()

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """An event of the step."""
        if self._step is not None:
            attributes = {"corehost.attempt": attempt, "corehost.message": without_secrets(reason)}
            self._step.span.add_event("retry", attributes)

    def passed(self, report: MigrationReport) -> None:
        """Tell what the pass did."""
        attributes = {
            "corehost.applied": len(report.applied),
            "corehost.waited_ms": report.waited_ms,
            "corehost.ready": report.ready,
        }
        self._pass.span.set_attributes(attributes)

    def end(self, error: BaseException | None) -> None:
        """End what is open, and the pass."""
        self._end_step()
        self._end_branch()
        if error is not None:
            self._fail(self._pass, getattr(error, "message", None) or type(error).__name__, type(error))
        self._pass.end()

    def _end_step(self) -> None:
        """A step that never told of its end: its connection was lost, or somebody was faster."""
        if self._step is not None:
            self._step.span.set_attribute("corehost.outcome", "abandoned")
            self._step.end()
            self._step = None

    def _end_branch(self) -> None:
        if self._branch is not None:
            self._branch[1].end()
            self._branch = None

    def _begin(self, name: str, attributes: _Attributes) -> _Open:
        return _Open(self._trace.use_span, self._tracer.start_span(name, attributes=attributes))

    def _fail(self, opened: _Open, message: str, kind: type | None = None) -> None:
        # not record_exception(): a driver's own text, and the traceback's, may have a connection string in it
        text = without_secrets(message)
        attributes = {"exception.message": text}
        if kind is not None:
            attributes["exception.type"] = f"{kind.__module__}.{kind.__qualname__}"
        opened.span.add_event("exception", attributes)
        opened.span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))


class _Open:
    """A span that is current until it is ended."""

    def __init__(self, use_span: Any, span: Any):
        self.span = span
        self._scope = use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)
        self._scope.__enter__()

    def end(self) -> None:
        self._scope.__exit__(None, None, None)
