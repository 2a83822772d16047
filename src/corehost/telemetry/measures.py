"""The numbers of a host's passes, kept as they come; a collector shows them when it is asked."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corehost.core.plan import Step
from corehost.core.results import BranchCount, MigrationReport, StepResult
from corehost.migrate.observer import Observer

STEP_BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800, 3600)
"""Upper bounds in seconds: from an ADD COLUMN to a table that is written anew."""
WAIT_BUCKETS: Final = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800)
"""Upper bounds in seconds: up to well beyond the ten minutes that are waited by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """How values are distributed."""

    bounds: tuple[float, ...]
    """The upper bounds of the buckets."""
    counts: tuple[int, ...]
    """How many values each bucket has, one for those above all bounds last."""
    total: float
    """The sum of all values."""


class _Buckets:
    def __init__(self, bounds: Sequence[float]):
        self._bounds = tuple(float(bound) for bound in bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Distribution:
        return Distribution(bounds=self._bounds, counts=tuple(self._counts), total=self._total)


class Measures(Observer):
    """What one host has done since it was made; told by its passes, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: Counter[tuple[str, str]] = Counter()
        self._retries: Counter[str] = Counter()
        self._durations = _Buckets(STEP_BUCKETS)
        self._waits = _Buckets(WAIT_BUCKETS)
        self._branches: Callable[[], Sequence[BranchCount]] = tuple
        self._done: Counter[str] = Counter()
        self._running: str | None = None

    @property
    def steps(self) -> Mapping[tuple[str, str], int]:
        """(Branch, outcome) -> how many steps ended so here, sorted."""
        with self._lock:
            return dict(sorted(self._steps.items()))

    @property
    def retries(self) -> Mapping[str, int]:
        """Why -> how often something was tried again, sorted."""
        with self._lock:
            return dict(sorted(self._retries.items()))

    @property
    def durations(self) -> Distribution:
        """How long steps took here, in seconds."""
        with self._lock:
            return self._durations.read()

    @property
    def waits(self) -> Distribution:
        """How long each pass has waited for others, in seconds."""
        with self._lock:
            return self._waits.read()

    @property
    def branches(self) -> Sequence[BranchCount]:
        """Every branch as the last look found it, less what was applied here since."""
        with self._lock:
            found, done, running = self._branches(), self._done.copy(), self._running
        return [count.after(done[count.branch], migrating=count.branch == running) for count in found]

    def looked(self, branches: Callable[[], Sequence[BranchCount]]) -> None:
        """Keep what a look found; it is worked out when somebody asks."""
        with self._lock:
            self._branches = branches
            self._done.clear()
            self._running = None

    def step_started(self, step: Step) -> None:
        """A step begins."""
        self._running = step.node.branch

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Count it, with those that it has made needless."""
        with self._lock:
            self._running = None
            self._steps[step.node.branch, result.outcome] += 1
            self._durations.add(result.duration_ms / 1000)
            if result.outcome == "applied":
                self._done[step.node.branch] += len(step.revisions)

    def retried(self, reason: str) -> None:
        """Count a reason out of a few."""
        with self._lock:
            self._retries[reason] += 1

    def passed(self, report: MigrationReport) -> None:
        """A pass has ended, well or not."""
        with self._lock:
            self._running = None
            self._waits.add(report.waited_ms / 1000)
