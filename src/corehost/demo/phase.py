"""One phase: a fleet is let go at once, and watched until all of it is ready."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corehost.demo.fleet import DemoFailed, Fleet
from corehost.demo.row import Row
from corehost.demo.screen import PhaseView, Progress
from corehost.postgres.ledger import HistoryEntry

_TICK: Final = 0.1
"""Seconds between two refreshes of the display."""
_ASK: Final = 0.25
"""Seconds between two questions to an instance: on few cores, more would slow what they are about."""
_PATIENCE: Final = 300.0
"""Seconds in which all must be ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a phase went."""

    rows: tuple[Row, ...]
    """The instances at its end."""
    whole: float
    """Seconds from the start of the first process to the last 200."""
    last_ready: float
    """Seconds from the moment all were let go until the last was ready."""


class Phase:
    """The watch over one fleet."""

    def __init__(self, fleet: Fleet, *, steps: int, view: PhaseView):
        self._fleet = fleet
        self._steps = steps
        self._view = view
        self._rows = {number: Row(number=number) for number in fleet.numbers.values()}
        self._ports: dict[int, int] = {}
        self._went: float | None = None
        self._show_at = self._ask_at = time.monotonic()
        self._deadline = self._show_at + _PATIENCE

    def run(self) -> Outcome:
        """Let the fleet go, and watch it until all have answered 200. Raises DemoFailed."""
        while len(self._ports) < len(self._rows):
            self._turn()
        self._ask_all()
        for row in self._rows.values():
            if row.admitted_at is not None:
                raise DemoFailed(f"instance {row.number} said 200 before its pass had begun")
        self._fleet.go()
        self._went = time.time()
        while not all(row.done for row in self._rows.values()):
            self._turn()
        ended = time.time()
        self._show()
        self._fleet.dismiss()
        rows = tuple(self._rows.values())
        last = max(row.ready_at for row in rows if row.ready_at is not None)
        return Outcome(rows=rows, whole=ended - self._fleet.began, last_ready=last - self._went)

    def _turn(self) -> None:
        """Take in what is told until it is time to show or to ask again."""
        until = self._show_at if self._went is None else min(self._show_at, self._ask_at)
        for number, event in self._fleet.events(seconds=max(0.0, until - time.monotonic())):
            if event.port is not None:
                self._ports[number] = event.port
            row = self._rows[number].after(event, self._fleet.numbers)
            self._set(row, event.at)
            if event.kind == "waiting":
                for namespace, holder in row.waits_for.items():
                    self._set(self._rows[holder].holding(namespace), event.at)
        now = time.monotonic()
        if now >= self._ask_at and self._went is not None:
            self._ask_all()
            self._ask_at = time.monotonic() + _ASK
        if now >= self._show_at:
            self._show()
            self._show_at = time.monotonic() + _TICK
        if now > self._deadline:
            late = ", ".join(f"{row.number} ({row.state})" for row in self._rows.values() if not row.done)
            raise DemoFailed(f"not all were ready within {_PATIENCE:g} s: instance {late}")

    def _ask_all(self) -> None:
        """Ask the /readyz of all that have not said 200 yet."""
        for number, port in self._ports.items():
            if self._rows[number].admitted_at is None:
                status = self._fleet.ask(number, port)
                now = time.time()
                self._set(self._rows[number].answered(status, now), now)

    def _set(self, row: Row, at: float) -> None:
        self._rows[row.number] = row
        self._view.changed(row, at - (self._went or at))

    def _show(self) -> None:
        elapsed = None if self._went is None else time.time() - self._went
        self._view.show(Progress(rows=tuple(self._rows.values()), elapsed=elapsed, steps=self._steps))


def check(outcome: Outcome, entries: Sequence[HistoryEntry], *, steps: int) -> None:
    """Compare what the instances have told with what the ledger has got in the phase.

    Raises DemoFailed where a step was not applied once by exactly one, or an instance said 200 before the
    last step was done.
    """
    for entry in entries:
        if entry.outcome != "applied":
            raise DemoFailed(f"{entry.branch}@{entry.revision} has {entry.outcome}: {entry.error}")
    applied = Counter((entry.branch, entry.revision) for entry in entries)
    if twice := [f"{branch}@{revision}" for (branch, revision), times in applied.items() if times > 1]:
        raise DemoFailed(f"applied more than once: {', '.join(twice)}")
    told = sum(len(row.applied) for row in outcome.rows)
    if not len(applied) == told == steps:
        raise DemoFailed(f"{steps} steps were pending, {len(applied)} are recorded, {told} were told of")
    complete = max((entry.finished_at.timestamp() for entry in entries if entry.finished_at), default=0.0)
    for row in outcome.rows:
        for said, at in (("that it was ready", row.ready_at), ("200", row.admitted_at)):
            if at is not None and at < complete:
                early = complete - at
                raise DemoFailed(
                    f"instance {row.number} said {said} {early:.3f} s before the last step was done"
                )
