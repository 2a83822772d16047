"""The tables at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from corehost.demo.phase import Outcome
from corehost.demo.screen import Table
from corehost.postgres.ledger import HistoryEntry

EXPLANATION: Final = (
    "Whole phase: from the start of the first process to the last 200; last ready: from the moment all were "
    "let go.\nEvery /readyz said 503 until nothing was pending any more, and 200 after that."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A phase that is over."""

    number: int
    """Which, from 1."""
    name: str
    """What it was about, in two words."""
    outcome: Outcome
    """How it went."""
    entries: tuple[HistoryEntry, ...]
    """What the ledger got in it."""
    instances: Mapping[int, int]
    """Process id -> which instance it was."""


def history(phases: Sequence[Told]) -> Table:
    """What the ledger has."""
    return Table(
        title="History, from the ledger",
        columns=("phase", "finished (UTC)", "branch", "revision", "version", "instance", "ms"),
        rows=tuple(
            (
                str(phase.number),
                f"{entry.finished_at.astimezone(UTC):%H:%M:%S.%f}"[:-3] if entry.finished_at else "",
                entry.branch,
                entry.revision,
                entry.version or "",
                str(phase.instances.get(entry.pid or 0, "")),
                f"{entry.duration_ms:.0f}" if entry.duration_ms is not None else "",
            )
            for phase in phases
            for entry in phase.entries
        ),
        numbers=frozenset({"instance", "ms"}),
    )


def summary(phases: Sequence[Told]) -> Table:
    """What each phase took."""
    return Table(
        title="What it took",
        columns=("phase", "whole phase", "last ready", "steps", "applied by", "longest wait"),
        rows=tuple(_summary(phase) for phase in phases),
        numbers=frozenset({"whole phase", "last ready", "steps", "longest wait"}),
    )


def _summary(phase: Told) -> tuple[str, ...]:
    rows = phase.outcome.rows
    workers = sum(bool(row.applied) for row in rows)
    return (
        f"{phase.number}  {phase.name}",
        f"{phase.outcome.whole:.2f} s",
        f"{phase.outcome.last_ready:.2f} s",
        str(len(phase.entries)),
        f"{workers} of {len(rows)}" if workers else "nobody",
        f"{max(row.waited or 0.0 for row in rows):.2f} s",
    )
