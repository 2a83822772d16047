"""Who is present: the instances that serve, as their presences show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from corehost.core.release import ReleasedBranch


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """One instance that holds a presence."""

    digest: str
    """The digest of its code."""
    host: str
    """The name of its machine, or of its container; what its session calls itself where that is not told."""
    pid: int
    """Its process id there; 0 where its session does not tell it."""
    backend_pid: int
    """The server's process of the session that holds the presence."""
    since: datetime | None = None
    """When that session began, UTC; None where this role may not see it."""
    recorded: bool = False
    """Whether the ledger knows its code."""
    branches: Mapping[str, ReleasedBranch] = field(default_factory=lambda: MappingProxyType({}))
    """What its code has of each branch, by name; of the branches that were asked for."""

    def __str__(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.pid}" if self.pid else self.host

    def as_dict(self) -> dict[str, object]:
        """One of the ``instances`` of JSON documents."""
        return {
            "host": self.host,
            "pid": self.pid,
            "state": "present",
            "release": self.digest,
            "branches": {name: one.origin.version for name, one in sorted(self.branches.items())},
            "since": None
            if self.since is None
            else self.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
