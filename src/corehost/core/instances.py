"""What one instance tells others of itself: for eyes only, nothing is decided by it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from corehost.core.rows import Rows

STALE_AFTER: Final = 30.0
"""Seconds after which an instance that has said nothing more is not shown any longer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One instance that waits for others, or runs a step that takes long."""

    id: uuid.UUID
    """Of this row: one pass of one process."""
    host: str
    """The name of the machine, or of the container."""
    pid: int
    """The process's id there."""
    state: str
    """``waiting`` or ``migrating``."""
    branch: str | None = None
    """The branch of the step that it runs."""
    revision: str | None = None
    """The revision that it runs."""
    step: int | None = None
    """Which step of its plan that is, from 1."""
    steps: int | None = None
    """How many steps its plan has."""
    rows: Rows | None = None
    """How far a data migration says it is."""
    message: str | None = None
    """What it waits for; without secrets."""
    backend_pid: int | None = None
    """The server's process of the session that holds its locks."""
    branches: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    """Branch -> the version of it that this instance has installed."""
    seconds: float = 0.0
    """How long it has been at this, by the server's clock where it was read."""
    since: datetime | None = None
    """When it began with this, UTC."""
    updated_at: datetime | None = None
    """When it said so last, UTC."""

    def as_dict(self) -> dict[str, object]:
        """One of the ``instances`` of JSON documents."""
        return {
            "host": self.host,
            "pid": self.pid,
            "state": self.state,
            "branches": dict(sorted(self.branches.items())),
            "branch": self.branch,
            "revision": self.revision,
            "step": self.step,
            "steps": self.steps,
            "rows_done": None if self.rows is None else self.rows.done,
            "rows_total": None if self.rows is None else self.rows.total,
            "seconds": round(self.seconds, 1),
            "message": self.message,
            "since": _written(self.since),
            "updated_at": _written(self.updated_at),
        }

    def progress(self) -> dict[str, object]:
        """The ``progress`` of the branch that it migrates, and what is shown of a holder."""
        whole = self.as_dict()
        names = ("host", "pid", "branch", "revision", "step", "steps", "rows_done", "rows_total", "seconds")
        return {name: whole[name] for name in names}

    def __str__(self) -> str:
        """Who it is and how far, for people."""
        parts = [f"{self.host}:{self.pid}"]
        if self.revision is not None:
            parts.append(f"at {self.branch}@{self.revision}")
        if self.step is not None and self.steps is not None:
            parts.append(f"step {self.step} of {self.steps}")
        if self.rows is not None:
            parts.append(str(self.rows))
        parts.append(f"for {self.seconds:.0f} s")
        return ", ".join(parts)


def migrating(instances: Iterable[Instance]) -> Mapping[str, Instance]:
    """Branch -> the instance that says it runs a step of it; the one that said so last."""
    oldest = datetime.min.replace(tzinfo=UTC)
    found = sorted(instances, key=lambda one: one.updated_at or oldest)
    return {one.branch: one for one in found if one.state == "migrating" and one.branch is not None}


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
