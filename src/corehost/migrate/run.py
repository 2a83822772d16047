"""The pass itself: look, take what is ready, work, look again, until nothing is pending."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from corehost.core.errors import DatabaseUnavailable, MigrationError, WaitTimedOut
from corehost.core.namespace import LEDGER
from corehost.core.plan import Frontier, Plan, step_at
from corehost.core.results import LockHolder, MigrationReport, StepResult
from corehost.core.revision import Node
from corehost.core.standing import Standing
from corehost.core.state import DatabaseState
from corehost.migrate.attempt import ConnectionLost
from corehost.readiness.look import look
from corehost.readiness.pace import Pace
from corehost.migrate.work import Findings, NamespaceWork, PassContext
from corehost.postgres.connect import Connection, Connector, is_lost, translated_errors
from corehost.postgres.locks import LockSet, holders
from corehost.postgres.pooler import refuse_transaction_pooler
from corehost.postgres.session import configure, connection_settings

if TYPE_CHECKING:
    from corehost.alembic.bridge import BranchRunner

_log = logging.getLogger("corehost")


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """One look, and what follows from it."""

    state: DatabaseState
    standings: Mapping[str, Standing]
    rows: Mapping[str, tuple[str, ...]]
    frontier: Frontier


class MigrationPass:
    """One run over the plan of one host, beside whoever else is running it.

    Look without a lock; try the locks of what is ready, own namespace exclusive, those it depends on
    shared, all or none; read again; run; release. What cannot be had is left to whoever has it:
    something else that is ready is taken, or the connection closed for a short while.
    """

    def __init__(self, context: PassContext, connector: Connector, *, wait: bool = True):
        self._context = context
        self._connector = connector
        self._wait = wait
        self._findings = Findings()
        self._pace = Pace(context.settings.wait_timeout)
        self._connection: Connection | None = None
        self._configured = False
        self._bridge: Any = None
        self._runners: dict[str, BranchRunner] = {}
        self._compiled: set[Node] = set()

    def plan(self) -> Plan:
        """What a pass would run now; changes nothing. Raises as :meth:`run` does."""
        try:
            view = self._look()
            return Plan(steps=tuple(step_at(self._context.graph, n) for n in view.frontier.drain()))
        finally:
            self._close()

    def run(self) -> MigrationReport:
        """Run the pass to its end.

        Raises MigrationError (StepFailed, IncompatibleDatabase, WaitTimedOut, DatabaseUnavailable,
        GraphError), its ``report`` saying what this process had applied.
        """
        try:
            self._run()
        except MigrationError as error:
            error.report = self._report(ready=False)
            raise
        finally:
            self._close()
        return self._report(ready=True)

    def _run(self) -> None:
        while True:
            try:
                with translated_errors():
                    view = self._look()
                    if not len(view.frontier):
                        break
                    worked = self._work(view)
            except (DatabaseUnavailable, ConnectionLost) as error:
                self._reconnect(error)
                continue
            if worked:
                self._pace.progress()
            elif worked is None:
                raise self._conclusion()
            else:
                self._await(view)
        if self._findings.blocked:
            raise self._conclusion()

    def _look(self) -> _View:
        graph, context = self._context.graph, self._context
        self._pace.look_begins()
        if self._connection is None:
            self._connection = self._connector.open(migrating=True)
        state, standings = look(self._connection, graph)
        self._settle_doubtful()
        rows = {name: standing.rows for name, standing in standings.items()}
        view = _View(
            state=state,
            standings=standings,
            rows=rows,
            frontier=Frontier(graph, graph.pending(rows, context.only)),
        )
        for name, standing in standings.items():
            if standing.state == "ahead":
                _log.warning("branch %s: %s", name, standing.reason)
        context.observer.planned(len(view.frontier))
        return view

    def _work(self, view: _View) -> int | None:
        """Work in the first namespace whose locks can be had.

        More than 0 where that got anywhere; 0 where others hold what is ready; None where nothing is
        left to try.
        """
        connection = self._connection
        assert connection is not None
        tried: set[int] = set()
        for node in view.frontier.ready():
            own = self._key(node.branch)
            if own in tried or node.branch in self._findings.blocked:
                continue
            tried.add(own)
            if not self._configured:
                refuse_transaction_pooler(connection, lambda: self._connector.open(migrating=True))
                configure(connection, connection_settings(self._context.settings))
                self._configured = True
            locks = LockSet(connection, own, self._shared(node))
            if not locks.try_take():
                continue
            try:
                self._load(view)
                work = NamespaceWork(
                    self._context,
                    self._findings,
                    connection=connection,
                    locks=locks,
                    bridge=self._bridge,
                    runner_of=self._runner,
                )
                if got_on := work.run(view.rows):
                    return got_on
            finally:
                self._release(locks)
            if self._connection is None:
                return 0
        return 0 if tried else None

    def _release(self, locks: LockSet) -> None:
        connection = self._connection
        assert connection is not None
        held = False
        with suppress(psycopg.Error):
            held = not connection.closed and locks.release()
        if not held:
            self._close()  # whatever it may still hold goes with it

    def _key(self, branch: str) -> int:
        return self._context.graph.trees[branch].branch.namespace.lock_key

    def _shared(self, node: Node) -> set[int]:
        """The namespaces that the branch's steps depend on; the ledger's only ever grows."""
        graph = self._context.graph
        names = {need.branch for need in graph.foreign_needs(node)} | set(graph.first[node.branch])
        return {self._key(name) for name in names if name != LEDGER}

    def _load(self, view: _View) -> None:
        """Compile all that is pending, then load Alembic: both before this process's first step."""
        for node in sorted(self._context.graph.pending(view.rows, self._context.only) - self._compiled):
            self._context.facts(node)
            self._compiled.add(node)
        if self._bridge is None:
            from corehost.alembic.bridge import Bridge

            self._bridge = Bridge(self._connection)

    def _runner(self, name: str) -> BranchRunner:
        if name not in self._runners:
            from corehost.alembic.bridge import BranchRunner

            self._runners[name] = BranchRunner(self._context.graph.trees[name])
        return self._runners[name]

    def _await(self, view: _View) -> None:
        """Somebody else has what is ready: say so, let the connection go, look again in a while."""
        keys = {self._key(node.branch) for node in view.frontier.ready()}
        found = holders(self._connection, sorted(keys)) if self._connection is not None else {}
        message = self._waiting_for(found)
        self._context.observer.waiting(message)
        self._pace.note(
            (view.state.fingerprint(), tuple(sorted((h.pid, h.since) for h in found.values() if h.since))),
            active=any(holder.active for holder in found.values()),
        )
        if not self._wait:
            raise WaitTimedOut(f"not waiting: {message}")
        if self._pace.timed_out:
            seconds = self._context.settings.wait_timeout.total_seconds()
            raise WaitTimedOut(
                f"nobody has made progress for {seconds:g} s: {message}",
                hint="look at that session, or end it with 'corehost unlock'",
            )
        self._close()
        self._pace.pause()

    def _waiting_for(self, found: Mapping[int, LockHolder]) -> str:
        schemas = {self._key(n): t.branch.namespace.schema for n, t in self._context.graph.trees.items()}
        if not found:
            return "waiting for a namespace that was just given back"
        return "waiting for " + "; ".join(
            f"namespace {schemas[key]!r}, held by pid {holder.pid} ({holder.application_name or 'no name'})"
            + (f" since {holder.since:%Y-%m-%dT%H:%M:%SZ}" if holder.since else "")
            for key, holder in sorted(found.items(), key=lambda item: schemas[item[0]])
        )

    def _reconnect(self, error: DatabaseUnavailable | ConnectionLost) -> None:
        """The connection is gone: try another one until ``wait_timeout`` has passed."""
        self._close()
        cause = error.__cause__
        passing = isinstance(error, ConnectionLost) or cause is None or is_lost(cause)
        if not passing or not self._wait or self._pace.timed_out:
            if isinstance(error, ConnectionLost):
                raise DatabaseUnavailable("the connection was lost while a step ran") from error
            raise error
        _log.warning("%s; trying again", error)
        self._context.observer.waiting(str(error))
        self._pace.pause()

    def _settle_doubtful(self) -> None:
        """Count the steps whose COMMIT went through although its answer was lost."""
        assert self._connection is not None
        for step, lost in self._findings.doubtful:
            if lost.record.was_applied(self._connection):
                duration = (time.monotonic() - lost.began) * 1000
                self._findings.applied.append(
                    StepResult(
                        node=step.node, outcome="applied", started_at=lost.started_at, duration_ms=duration
                    )
                )
        self._findings.doubtful.clear()

    def _conclusion(self) -> MigrationError:
        """Why the pass ends here although something is pending: the gravest reason first."""
        grave = {2: 0, 5: 1, 1: 2, 4: 3}
        return min(self._findings.blocked.values(), key=lambda e: (grave.get(e.exit_code, 4), str(e)))

    def _report(self, *, ready: bool) -> MigrationReport:
        return MigrationReport(
            applied=tuple(self._findings.applied),
            failed=self._findings.failed,
            waited_ms=self._pace.waited * 1000,
            ready=ready,
        )

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection, self._bridge, self._configured = None, None, False
