"""What a pass, a step and a look report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from corehost.core.branch import Origin
from corehost.core.checks import CheckResult
from corehost.core.deferral import Held
from corehost.core.instances import Instance
from corehost.core.revision import Node
from corehost.core.rows import Rows

BranchState = Literal[
    "current", "pending", "migrating", "ahead", "diverged", "in_doubt", "failed", "orphaned"
]
ReadinessState = Literal["starting", "waiting", "migrating", "ready", "degraded", "failed"]
Outcome = Literal["applied", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """One step that this process ran."""

    node: Node
    """Branch and revision."""
    outcome: Outcome
    """Whether it was committed."""
    started_at: datetime
    """When it began, UTC."""
    duration_ms: float
    """How long it took, commit included, in milliseconds."""
    error: str | None = None
    """Its error, secrets removed, where it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationReport:
    """What one pass did: ``applied`` is what *this* process applied, on failure too."""

    applied: tuple[StepResult, ...] = ()
    """The steps that this process applied, in order."""
    failed: StepResult | None = None
    """The step that failed here."""
    waited_ms: float = 0.0
    """How long this process waited for others, in milliseconds."""
    ready: bool = False
    """Whether nothing of any branch's target is pending any more, but of what is left out."""
    deferred: Mapping[Node, Held] = field(default_factory=lambda: MappingProxyType({}))
    """Step -> why it is held back, where nothing else is pending."""
    left_out: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Plugin -> why the host goes on without it (``on_migration_error``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockHolder:
    """The session that holds a namespace's lock exclusively."""

    pid: int
    """The backend's process id."""
    application_name: str
    """The session's application_name."""
    since: datetime | None
    """When the lock was taken, UTC; None where the holder is not corehost."""
    active: bool = False
    """Whether the server is at work for it now (neither idle, nor waiting for a lock or its client)."""
    client_wait: str | None = None
    """Where its backend waits for its client: a mark that changes with every sign of life."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchStatus:
    """One branch, as a look sees it."""

    branch: str
    schema: str
    origin: Origin
    state: BranchState
    applied: tuple[str, ...]
    """The rows of the version table."""
    heads: tuple[str, ...]
    """The target's heads in the installed code."""
    pending: tuple[str, ...]
    """What a pass would run, in order."""
    deferred: tuple[str, ...] = ()
    """What a pass holds back, in order."""
    held: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The same revisions -> why, and for whom."""
    lock: LockHolder | None = None
    """Who holds the namespace's lock."""
    reason: str | None = None
    """Why the state is what it is, where the state alone does not say it."""
    blocked: bool = False
    """Whether this code cannot serve it, and waiting does not help."""
    revision: str | None = None
    """The revision because of which."""
    hint: str | None = None
    """What to do about that."""
    left_out: bool = False
    """Whether a host goes on without it (``on_migration_error``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchCount:
    """How one branch stands, in numbers."""

    branch: str
    state: BranchState
    pending: int
    """How many of its revisions are not applied."""

    def after(self, done: int, *, migrating: bool) -> BranchCount:
        """The same after so many were applied; ``migrating`` while one is being run."""
        pending = max(self.pending - done, 0)
        settled = self.state in ("pending", "failed") and done
        state: BranchState = ("pending" if pending else "current") if settled else self.state
        return replace(self, state="migrating" if migrating else state, pending=pending)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A plugin that was left out, and why."""

    plugin: str
    origin: Origin
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Whether this instance may serve; answered from memory."""

    ready: bool
    """Whether traffic may come."""
    state: ReadinessState
    """The instance's state."""
    branch: str | None = None
    """The branch being migrated, or the one that failed."""
    revision: str | None = None
    """The revision being run, or the one that failed."""
    step: int | None = None
    """Which step of the plan is being run, from 1."""
    steps: int | None = None
    """How many steps the plan had."""
    message: str | None = None
    """What is being waited for, or what failed; without secrets."""
    since: datetime | None = None
    """When this state was entered, UTC."""
    seconds: float | None = None
    """How long the step has been running."""
    rows: Rows | None = None
    """How far the step is, where its revision calls ``corehost.progress``."""
    holder: Instance | None = None
    """The instance that is waited for, where it tells how far it is."""
    plugins: Mapping[str, Readiness] = field(default_factory=lambda: MappingProxyType({}))
    """Plugin -> its own readiness, of plugins that were added while the host served, or that it goes on
    without."""

    checks: tuple[CheckResult, ...] = ()
    """How the plugins' health checks stand, sorted by plugin and name."""

    def as_dict(self) -> dict[str, object]:
        """The JSON body of the health endpoints; parts that are None or empty are left out."""
        return {"format_version": "1.0", **self._parts()}

    def _parts(self) -> dict[str, object]:
        body: dict[str, object] = {"ready": self.ready, "state": self.state}
        for name in ("branch", "revision", "step", "steps", "message"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        if self.since is not None:
            body["since"] = self.since.isoformat().replace("+00:00", "Z")
        if self.seconds is not None:
            body["seconds"] = round(self.seconds, 1)
        if self.rows is not None:
            body["rows_done"] = self.rows.done
            if self.rows.total is not None:
                body["rows_total"] = self.rows.total
        if self.holder is not None:
            body["holder"] = self.holder.progress()
        if self.checks:
            body["checks"] = [check.as_dict() for check in self.checks]
        if self.plugins:
            body["plugins"] = {name: one._parts() for name, one in sorted(self.plugins.items())}
        return body
