"""What a process costs, and how two kinds of them are compared so that a busy machine is fair to both."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = int(os.environ.get("COREHOST_BENCH_ROUNDS", "9"))
"""How often each is run, in turn; what takes long is run a third as often."""
FEW = max(1, ROUNDS // 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one process, with all that it started, has cost."""

    wall: float
    """Seconds from its start to its end."""
    cpu: float
    """Seconds of user and system time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The costs of several runs of the same."""

    costs: tuple[Cost, ...]

    @property
    def wall(self) -> float:
        """The median of the seconds from start to end."""
        return statistics.median(cost.wall for cost in self.costs)

    @property
    def cpu(self) -> float:
        """The median of the seconds of user and system time."""
        return statistics.median(cost.cpu for cost in self.costs)


Run = Callable[[], Cost]


def run(
    command: Sequence[str | Path], env: Mapping[str, str], *, cwd: Path | None = None, expected: int = 0
) -> Cost:
    """Run one process to its end; AssertionError, with what it said, where its exit code is another."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expected:
            said.seek(0)
            raise AssertionError(f"{command} ended with {process.returncode}\n{said.read().decode()}")
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime)


def compared(contestants: Mapping[str, Run], *, rounds: int = ROUNDS) -> dict[str, Sample]:
    """Run all of them in turn, so many times: what else the machine does meets each alike.

    Each round begins with another one. The first round, which fills caches, does not count.
    """
    names = list(contestants)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            cost = contestants[name]()
            if number:
                costs[name].append(cost)
    return {name: Sample(costs=tuple(found)) for name, found in costs.items()}
