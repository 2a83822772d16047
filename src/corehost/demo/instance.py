"""One host process of the demo: ``python -m corehost.demo.instance``, its database in the environment.

It answers ``/readyz`` from its first moment, starts its pass when it is written to, tells how that goes as
JSON lines, and serves until its standard input ends.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, TextIO

import corehost
from corehost.core.plan import Step
from corehost.core.results import StepResult
from corehost.demo.event import Event, EventKind
from corehost.migrate.observer import Observer


class Reporter(Observer):
    """Tells the parent how the pass goes."""

    def __init__(self, output: TextIO):
        self._output = output

    def tell(self, kind: EventKind, **details: Any) -> None:
        """Write one event."""
        self._output.write(Event(kind=kind, **details).line())
        self._output.flush()

    def planned(self, steps: int) -> None:
        """Tell how many steps are pending."""
        self.tell("planned", steps=steps)

    def waiting(self, message: str) -> None:
        """Tell what is waited for."""
        self.tell("waiting", message=message)

    def step_started(self, step: Step) -> None:
        """Tell which step begins."""
        self._tell_of("step_started", step, message=step.message)

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Tell that a step is committed; that it failed ends the pass, which is told then."""
        if result.outcome == "applied":
            self._tell_of("step_finished", step)

    def retrying(self, step: Step, reason: str, attempt: int) -> None:
        """Tell why a step is tried again."""
        self._tell_of("retrying", step, message=reason)

    def _tell_of(self, kind: EventKind, step: Step, **details: Any) -> None:
        self.tell(kind, branch=step.node.branch, revision=step.node.revision, **details)


def main() -> int:
    """Serve until standard input ends; returns the exit code."""
    reporter = Reporter(_own_output())
    host = corehost.Host.from_config()
    with corehost.HealthServer(host, port=0, address="127.0.0.1") as health:
        reporter.tell("listening", port=health.port)
        if not os.read(0, 64):
            return 1
        over, dismissed = threading.Event(), threading.Event()
        threading.Thread(target=_watch_parent, args=(over, dismissed), daemon=True).start()
        code = _migrate(host, reporter)
        over.set()
        dismissed.wait()
    return code


def _migrate(host: corehost.Host, reporter: Reporter) -> int:
    try:
        report = host.migrate(observer=reporter)
    except corehost.CorehostError as error:
        reporter.tell("failed", message=str(error))
        return error.exit_code
    reporter.tell("ready", waited=report.waited_ms / 1000)
    return 0


def _own_output() -> TextIO:
    """The parent's pipe, which a plugin that prints must not write to."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def _watch_parent(over: threading.Event, dismissed: threading.Event) -> None:
    # not through sys.stdin: Python aborts at its end where a thread still reads from that
    while os.read(0, 64):
        pass
    if not over.is_set():
        os._exit(1)  # the parent is gone in the middle of the pass, and nobody else would end this process
    dismissed.set()


if __name__ == "__main__":
    sys.exit(main())
