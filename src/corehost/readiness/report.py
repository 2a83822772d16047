"""Lock-free: what a look at the database tells about every branch, and whether this code may serve."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from corehost.core.branch import Origin
from corehost.core.errors import DatabaseUnavailable, IncompatibleDatabase, WaitTimedOut
from corehost.core.graph import Graph
from corehost.core.instances import Instance
from corehost.core.leave_out import leave_out
from corehost.core.plan import Frontier
from corehost.core.policy import DEFAULT, Policy
from corehost.core.present import Present
from corehost.core.results import BranchCount, BranchStatus
from corehost.core.revision import Node
from corehost.core.standing import branch_status, orphans
from corehost.core.state import DatabaseState
from corehost.postgres.connect import Connection, Connector, is_passing, translated_errors
from corehost.postgres.instances import read_instances
from corehost.postgres.locks import holders
from corehost.postgres.prepare import invalid_indexes
from corehost.readiness.deferred import find_deferred
from corehost.readiness.look import look
from corehost.readiness.pace import Pace


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at the whole database."""

    ready: bool
    """Whether nothing of any branch's target is pending but what is held back, and nothing keeps this code
    from serving.

    What the host goes on without (``left_out``) does not matter to it.
    """
    branches: tuple[BranchStatus, ...]
    """Every branch, and what the ledger has of branches that are not installed, sorted by name."""
    instances: tuple[Instance, ...] = ()
    """The instances that say they wait, or run a step; for eyes only."""
    present: tuple[Present, ...] = ()
    """The instances that serve, of any version; where somebody has asked for them."""

    @property
    def pending(self) -> bool:
        """Whether a pass would have something to do."""
        return any(status.pending for status in self.branches)

    def of(self, names: Container[str]) -> Look:
        """What it says of some branches."""
        branches = tuple(status for status in self.branches if status.branch in names)
        return replace(self, branches=branches, ready=_is_ready(branches))

    def counts(self) -> tuple[BranchCount, ...]:
        """The installed branches in numbers."""
        return tuple(
            BranchCount(branch=status.branch, state=status.state, pending=len(status.pending))
            for status in self.branches
            if status.state != "orphaned"
        )

    @property
    def holder(self) -> Instance | None:
        """The instance that holds a lock and tells how far it is; the first, where there are several."""
        pids = {status.lock.pid for status in self.branches if status.lock is not None}
        return next((one for one in self.instances if one.backend_pid in pids), None)

    def fingerprint(self) -> Any:
        """A value that differs whenever anybody has made progress."""
        return tuple(
            (status.branch, status.applied, status.lock and (status.lock.pid, status.lock.since))
            for status in self.branches
        )

    def unservable(self) -> IncompatibleDatabase | None:
        """Why waiting cannot help, where it cannot."""
        for status in self.branches:
            if status.blocked and not status.left_out:
                return IncompatibleDatabase(
                    status.reason or status.state,
                    where=replace(status.origin.where(branch=status.branch), revision=status.revision),
                    hint=status.hint,
                )
        return None


def look_around(connection: Connection, graph: Graph, *, policy: Policy = DEFAULT) -> Look:
    """Look at all branches: no lock, no write; works for a reader, on a standby, through a pooler."""
    state, standings = look(connection, graph, policy=policy)
    rows = {name: standing.rows for name, standing in standings.items()}
    by_branch: dict[str, list[Node]] = {name: [] for name in graph.trees}
    pending = graph.pending(rows)
    deferred = find_deferred(connection, graph, state, pending, policy)
    for node in Frontier(graph, pending - deferred.keys()).drain():
        by_branch[node.branch].append(node)
    held_of: dict[str, dict[str, str]] = {name: {} for name in graph.trees}
    for node in sorted(deferred, key=graph.rank.__getitem__):
        held_of[node.branch][node.revision] = deferred[node].reason
    places = {name: tree.branch.namespace for name, tree in graph.trees.items()}
    keys = {n.lock_key for n in places.values()} | {n.background.lock_key for n in places.values()}
    held = holders(connection, sorted(keys))
    if any(attempt.partial and not attempt.failed for attempt in state.open_steps.values()):
        # Its holder may have finished between the two statements: an open step without a holder
        # counts only if it is still open when nobody is seen to hold the lock.
        state, standings = look(connection, graph, policy=policy)
    found = [
        branch_status(
            tree,
            standings[name],
            state,
            pending=tuple(by_branch[name]),
            holder=held.get(places[name].lock_key) or held.get(places[name].background.lock_key),
            held=held_of[name],
        )
        for name, tree in graph.trees.items()
    ]
    found = [_with_indexes(connection, status) if status.state == "in_doubt" else status for status in found]
    wrong = {
        s.branch for s in found if s.blocked or (s.state == "failed" and _is_of_this_version(graph, state, s))
    }
    left_out = leave_out(graph, wrong, pending, policy.optional)
    found = [replace(s, left_out=True) if s.branch in left_out else s for s in found]
    ready = _is_ready(found)
    found += [
        BranchStatus(
            branch=known.branch,
            schema=known.namespace.schema,
            origin=Origin(distribution=known.distribution, version=known.version),
            state="orphaned",
            applied=known.heads,
            heads=(),
            pending=(),
        )
        for known in orphans(graph, state)
    ]
    instances = read_instances(connection) if state.knows_instances else ()
    branches = tuple(sorted(found, key=lambda s: (s.branch, s.schema)))
    return Look(ready=ready, branches=branches, instances=instances)


def _is_ready(found: Iterable[BranchStatus]) -> bool:
    return not any((status.pending or status.blocked) and not status.left_out for status in found)


def _is_of_this_version(graph: Graph, state: DatabaseState, status: BranchStatus) -> bool:
    """A failure of another version says nothing of this one, which nobody may have tried yet."""
    attempt = state.open_steps.get(graph.trees[status.branch].branch.namespace)
    return attempt is not None and attempt.version == status.origin.version


def _with_indexes(connection: Connection, status: BranchStatus) -> BranchStatus:
    """Name the indexes that the step in doubt may have left unfinished."""
    invalid = invalid_indexes(connection, status.schema)
    if not invalid:
        return status
    return replace(status, reason=f"{status.reason}; INVALID there: index {', '.join(invalid)}")


def is_current(connection: Connection, graph: Graph, *, policy: Policy = DEFAULT) -> bool:
    """Whether nothing is pending and nothing keeps this code from serving: the cheapest look."""
    state, standings = look(connection, graph, policy=policy)
    if any(standing.blocked for standing in standings.values()):
        return False
    if any(attempt.partial for attempt in state.open_steps.values()):
        return look_around(connection, graph, policy=policy).ready
    return not graph.pending({name: standing.rows for name, standing in standings.items()})


def wait_until_ready(
    connector: Connector,
    graph: Graph,
    *,
    timeout: timedelta,
    waiting: Callable[[str], None] = lambda _: None,
    policy: Policy = DEFAULT,
    only: str | None = None,
    progress_counts: bool = False,
    looked: Callable[[Connection, Look], None] = lambda _connection, _look: None,
    sleep: Callable[[float], object] = time.sleep,
    check: Callable[[], None] = lambda: None,
) -> Look:
    """Look, without any lock, until the database is ready for this code.

    ``waiting`` is told, at each look that finds it is not, what keeps it from being so, and ``looked`` what
    was seen, on the connection of the look. ``only`` restricts it to one branch and what that depends on.
    With ``progress_counts`` the ``timeout`` begins anew whenever anybody has made progress. ``check`` is
    called before each look, and may raise.
    Raises IncompatibleDatabase at once when waiting cannot help, WaitTimedOut (naming what is pending)
    or DatabaseUnavailable after ``timeout``.
    """
    pace = Pace(timeout, sleep=sleep)
    names = None if only is None else graph.wanted(only).keys()
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        check()
        pace.look_begins()
        seen: Look | None = None
        problem: DatabaseUnavailable | None = None
        try:
            with translated_errors(), connector.open() as connection:
                seen = look_around(connection, graph, policy=policy)
                seen = seen if names is None else seen.of(names)
                if not seen.ready:
                    looked(connection, seen)
        except DatabaseUnavailable as error:
            if error.__cause__ is not None and not is_passing(error.__cause__):
                raise
            problem = error
        if seen is not None:
            if seen.ready:
                return seen
            if unservable := seen.unservable():
                raise unservable
            held = any(status.lock is not None and status.lock.active for status in seen.branches)
            pace.note(seen.fingerprint(), active=held)
        reason = problem or WaitTimedOut(_pending_text(seen.branches if seen else ()))
        if pace.timed_out if progress_counts else time.monotonic() >= deadline:
            raise reason
        waiting(reason.message)
        pace.pause()


def _pending_text(branches: Iterable[BranchStatus]) -> str:
    parts = [
        f"{s.branch} ({len(s.pending)} pending, {s.state})" for s in branches if s.pending and not s.left_out
    ]
    return "the database is not ready: " + ", ".join(parts)
