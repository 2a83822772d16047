"""The pass itself: look, take what is ready, work, look again, until nothing is pending."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from corehost.alembic.runners import Runners
from corehost.core.errors import (
    DatabaseUnavailable,
    IncompatibleDatabase,
    MigrationError,
    WaitTimedOut,
)
from corehost.core.namespace import LEDGER, Namespace
from corehost.core.plan import Frontier, Plan, make_plan
from corehost.core.results import MigrationReport
from corehost.core.revision import Node
from corehost.core.standing import Standing, branch_counts
from corehost.core.state import DatabaseState
from corehost.migrate.attempt import ConnectionLost
from corehost.migrate.beacon import Beacon
from corehost.migrate.collector import spared_collector
from corehost.migrate.context import PassContext
from corehost.migrate.findings import Findings
from corehost.migrate.link import Link
from corehost.migrate.observer import Several
from corehost.migrate.vetting import compile_pending, is_others, tell_what_does_not_compile
from corehost.migrate.waiting import Waiting
from corehost.migrate.work import NamespaceWork
from corehost.postgres.connect import Connector, is_passing, translated_errors
from corehost.postgres.ledger import without_secrets
from corehost.postgres.presence import note_waiting
from corehost.readiness.deferred import find_deferred
from corehost.readiness.look import look
from corehost.readiness.pace import Pace
from corehost.readiness.report import look_around

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
        self._wait = wait
        self._findings = Findings()
        self.stop = context.stop
        """Asks this pass to end."""
        self._pace = Pace(context.settings.wait_timeout, sleep=self.stop.sleep)
        self._link = Link(connector, context.settings, self.stop)
        self._runners = Runners(context.graph)
        self._first_look = True
        self._announced, self._ready, self._tried_late = False, False, False
        self._last_warning = ""
        self._beacon = Beacon(
            connector, context.observer, graph=context.graph, backend=lambda: self._link.backend
        )
        self._context = replace(context, observer=Several(self._beacon, context.observer))
        self._waiting = Waiting(self._pace, self._context, self._beacon)

    def plan(self) -> Plan:
        """What a pass would run now; changes nothing. Raises as :meth:`run` does."""
        try:
            with translated_errors():
                view = self._look()
            return self._plan(view)
        finally:
            self._link.close()

    def run(self) -> MigrationReport:
        """Run the pass to its end.

        Raises MigrationError (StepFailed, IncompatibleDatabase, WaitTimedOut, DatabaseUnavailable,
        GraphError), its ``report`` saying what this process had applied.
        """
        if seconds := self._context.settings.pass_timeout.total_seconds():
            self.stop.ask_after(seconds, WaitTimedOut(f"the pass has taken longer than {seconds:g} s"))
        try:
            self._run()
        except MigrationError as error:
            error.report = self._findings.report(ready=False, waited=self._pace.waited)
            raise
        finally:
            self.stop.close()
            self._beacon.end(self._link.connection)
            self._link.close()
        return self._findings.report(ready=self._ready, waited=self._pace.waited)

    def _run(self) -> None:
        while True:
            self.stop.check()
            try:
                with translated_errors():
                    view = self._look()
                if not len(view.frontier):
                    with translated_errors():
                        self._judge(view)
                    break
                self._announce(view)
                with translated_errors():
                    worked = self._work(view)
                    if worked == 0:
                        self._await(view)
            except (DatabaseUnavailable, ConnectionLost) as error:
                self._reconnect(error)
                continue
            if worked is None:
                raise self._findings.conclusion()
            if worked:
                self._pace.progress()
        if self._findings.fatal:
            raise self._findings.conclusion()

    def _look(self) -> _View:
        graph, context = self._context.graph, self._context
        self._pace.look_begins()
        connection = self._link.open()
        state, standings = look(connection, graph, policy=context.policy)
        self._findings.settle_doubtful(connection, has_ledger=state.has_ledger)
        tell_what_does_not_compile(context, self._findings, connection, state)
        rows = {name: standing.rows for name, standing in standings.items()}
        pending = graph.pending(rows, context.only)
        everything = pending if context.only is None else graph.pending(rows)
        self._findings.deferred = find_deferred(connection, graph, state, everything, context.policy)
        self._leave_out(state, pending)
        view = _View(
            state=state,
            standings=standings,
            rows=rows,
            frontier=Frontier(graph, self._findings.of_use(pending)),
        )
        if self._first_look:
            self._first_look = False
            context.old_failures = frozenset(attempt.id for attempt in state.open_steps.values())
            for name, standing in standings.items():
                if standing.state == "ahead" and not standing.blocked:
                    about = {"event": "branch.ahead", "branch": name}
                    _log.warning("branch %s: %s", name, standing.reason, extra=about)
        context.observer.planned(len(view.frontier))
        context.observer.looked(lambda: branch_counts(graph, state, standings))
        return view

    def _work(self, view: _View) -> int | None:
        """Work in the first namespace whose locks can be had.

        More than 0 where that got anywhere; 0 where others hold what is ready; None where nothing is
        left to try.
        """
        tried, resting = set[Namespace](), False
        for node in view.frontier.ready():
            namespace = self._namespace(node.branch)
            if node.branch in self._findings.blocked or namespace.schema in {n.schema for n in tried}:
                continue
            if self._wait and view.state.rest_of(self._context.graph.trees[node.branch].branch):
                resting = True
                continue
            tried.add(namespace)
            locks = self._link.try_locks(namespace, self._shared(view, node))
            if locks is None:
                continue
            try:
                if self._pace.waited and self._have_moved(namespace, view.rows):
                    return 1  # whoever was waited for is done, and Alembic need not be loaded for that
                pending = self._context.graph.pending(view.rows, self._context.only)
                got_on = compile_pending(self._context, self._findings, pending)
                if is_others(self._context, self._findings, self._link.open(), pending, locks):
                    return 0
                work = NamespaceWork(
                    self._context,
                    self._findings,
                    connection=self._link.open(),
                    locks=locks,
                    bridge=self._link.bridge(),
                    runner_of=self._runners.of,
                )
                with spared_collector():
                    got_on += work.run(view.rows)
                if got_on:
                    return got_on
            finally:
                self._link.release(locks)
            if self._link.connection is None:
                return 0
        return 0 if tried or resting else None

    def _have_moved(self, namespace: Namespace, rows: Mapping[str, tuple[str, ...]]) -> bool:
        now = self._look().rows
        return any(now[name] != rows[name] for name in now if self._namespace(name) == namespace)

    def _namespace(self, branch: str) -> Namespace:
        return self._context.graph.trees[branch].branch.namespace

    def _shared(self, view: _View, node: Node) -> set[Namespace]:
        """The namespaces that the branch's steps depend on; the ledger's only ever grows."""
        names = {need.branch for need in view.frontier.foreign_needs(node)}
        names.update(self._context.graph.first[node.branch])
        return {self._namespace(name) for name in names if name != LEDGER}

    def _leave_out(self, state: DatabaseState, pending: frozenset[Node]) -> None:
        graph, only = self._context.graph, self._context.only
        self._findings.leave_out(graph, state, pending, self._context.settings.is_optional, only=only)

    def _await(self, view: _View) -> None:
        """Somebody else has what is ready: say so, let the connection go, look again in a while."""
        ready = view.frontier.ready()
        message = self._waiting.look(self._link.connection, ready, view.state)
        if not self._wait:
            raise WaitTimedOut(f"not waiting: {message}")
        wanted = {self._namespace(n.branch) for n in ready if n.branch not in self._findings.blocked}
        self._waiting.rest(self._link, wanted)

    def _reconnect(self, error: DatabaseUnavailable | ConnectionLost) -> None:
        """The connection is gone: try another one until ``wait_timeout`` has passed.

        Whoever was stopped for longer than that, and had a connection before, may try once more.
        """
        self._link.close()
        was_connected, self._link.was_open = self._link.was_open, False
        if isinstance(error, ConnectionLost):
            self._findings.count_losses(self._context.graph)
        cause = error.__cause__
        passing = isinstance(error, ConnectionLost) or cause is None or is_passing(cause)
        too_late = self._pace.timed_out and not (was_connected and not self._tried_late)
        self._tried_late = self._pace.timed_out
        if not passing or not self._wait or too_late:
            if isinstance(error, ConnectionLost):
                raise DatabaseUnavailable("the connection was lost while a step ran") from error
            raise error
        if str(error) != self._last_warning:
            self._last_warning = str(error)
            _log.warning("%s; trying again", error, extra={"event": "database.retried"})
        self._context.observer.retried("connection")
        self._context.observer.waiting(without_secrets(str(error)))
        self._pace.pause()

    def _announce(self, view: _View) -> None:
        """Tell once that there is something to do, before the first lock is tried."""
        if not self._announced:
            self._announced = True
            self.stop.watch()
            self._context.before(self._plan(view))

    def _plan(self, view: _View) -> Plan:
        deferred = self._findings.deferred
        plan = make_plan(self._context.graph, view.rows, only=self._context.only, without=deferred)
        return replace(plan, deferred={node: held.reason for node, held in deferred.items()})

    def _judge(self, view: _View) -> None:
        """Nothing is left to do: may this code serve? A branch may have diverged with nothing pending."""
        graph = self._context.graph
        for name in graph.wanted(self._context.only):
            if (standing := view.standings[name]).blocked:
                self._findings.blocked[name] = standing.error(graph.trees[name])
        if any(attempt.partial for attempt in view.state.open_steps.values()):
            # A step that only newer code knows: nothing of it is pending here, but is it still running?
            for status in look_around(self._link.open(), graph, policy=self._context.policy).branches:
                if status.state == "in_doubt" and status.branch in graph.wanted(self._context.only):
                    self._findings.blocked[status.branch] = IncompatibleDatabase(
                        status.reason or "a step is in doubt", where=graph.trees[status.branch].where()
                    )
        if older := self._findings.deferred:
            note_waiting(
                self._link.open(),
                graph,
                self._context.release,
                {digest for held in older.values() for digest in held.older},
            )
        pending = graph.pending(view.rows)
        self._leave_out(view.state, pending)
        left_out = self._findings.left_out
        self._ready = not self._findings.of_use(pending) and not any(
            standing.blocked for name, standing in view.standings.items() if name not in left_out
        )
