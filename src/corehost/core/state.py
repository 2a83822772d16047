"""What a look at the database found: values only, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from corehost.core.branch import Branch
from corehost.core.namespace import Namespace

_PATIENCE: Final = 3
_LONGEST_REST: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerBranch:
    """What the ledger knows of one version table."""

    namespace: Namespace
    branch: str
    """The name that its last host gave it."""
    heads: tuple[str, ...]
    """The rows that corehost left in the version table."""
    distribution: str | None
    version: str | None
    """What shipped the revision that was applied last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenStep:
    """An attempt that nobody has settled yet: begun and not finished, or failed."""

    id: int
    namespace: Namespace
    revision: str
    partial: bool
    """Whether a part of it is committed, or may be."""
    failed: bool
    """Whether it ended with an error (otherwise it is running, or crashed)."""
    error: str | None
    started_at: datetime
    host: str | None
    pid: int | None
    backend_pid: int | None
    version: str | None = None
    """The distribution's version that was being applied."""
    attempt: int = 1
    """Which failure in a row of this revision."""
    age: float = 0.0
    """Seconds since it failed, or began, by the server's clock."""
    contracts: bool = False
    """Whether older code may not go on once it is applied."""
    at_once: bool = False
    """Whether it was the branch's bootstrap, in place of all its revisions, of which this is the first."""

    @property
    def what(self) -> str:
        """What was attempted."""
        return "the bootstrap" if self.at_once else f"revision {self.revision}"

    @property
    def rest(self) -> float:
        """Seconds for which nobody tries again: none for the first failures, then up to a minute."""
        if not self.failed or self.partial or self.attempt < _PATIENCE:
            return 0.0
        return max(0.0, min(2.0 ** (self.attempt - _PATIENCE), _LONGEST_REST) - self.age)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseState:
    """The state of all branches, as one look found it."""

    rows: Mapping[str, tuple[str, ...]]
    """Branch -> rows of its version table, sorted; empty where there is none."""
    without_table: frozenset[str] = frozenset()
    """The branches whose version table does not exist."""
    has_ledger: bool = False
    """Whether the ledger's tables exist."""
    knows_releases: bool = False
    """Whether the ledger has the tables of releases, which it had not at first."""
    knows_instances: bool = False
    """Whether the ledger has the table of instances, which it had not at first."""
    ledger: Mapping[Namespace, LedgerBranch] = field(default_factory=lambda: MappingProxyType({}))
    """What the ledger knows, of branches that are not installed too."""
    open_steps: Mapping[Namespace, OpenStep] = field(default_factory=lambda: MappingProxyType({}))
    """The newest attempt of each branch that is not settled."""
    half_done: frozenset[Namespace] = frozenset()
    """Where the open step is one that older code cannot bear, and batches of it are committed."""

    def ledger_heads(self, namespace: Namespace) -> tuple[str, ...]:
        """The rows that corehost left there; empty where it never was."""
        known = self.ledger.get(namespace)
        return known.heads if known else ()

    def rest_of(self, branch: Branch) -> float:
        """Seconds for which this version of a branch, which has failed, is not tried again."""
        attempt = self.open_steps.get(branch.namespace)
        return attempt.rest if attempt is not None and attempt.version == branch.origin.version else 0.0

    def fingerprint(self) -> Any:
        """A value that differs whenever anybody has made progress."""
        return (tuple(sorted(self.rows.items())), tuple(sorted(s.id for s in self.open_steps.values())))
