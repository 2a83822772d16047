"""One namespace's work: what is done between taking its lock and giving it back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from corehost.core.errors import StepFailed
from corehost.core.namespace import LEDGER, LEDGER_NAMESPACE
from corehost.core.plan import Frontier, Step, step_at
from corehost.core.results import StepResult
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.attempt import ConnectionLost, StepRunner
from corehost.migrate.context import PassContext
from corehost.migrate.contracting import Contracting
from corehost.migrate.findings import Findings
from corehost.migrate.judging import judge
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import RowsChanged
from corehost.postgres.locks import LockSet
from corehost.postgres.prepare import (
    create_extensions,
    drop_invalid_indexes,
    is_empty,
    missing_extensions,
    prepare_version_table,
)
from corehost.postgres.releases import is_recorded, record_release
from corehost.postgres.session import StepSession
from corehost.readiness.look import look

if TYPE_CHECKING:
    from corehost.alembic.bridge import Bridge
    from corehost.alembic.runner import BranchRunner

_log = logging.getLogger("corehost")


class NamespaceWork:
    """Runs what may be run in one namespace, while its lock is held."""

    def __init__(
        self,
        context: PassContext,
        findings: Findings,
        *,
        connection: Connection,
        locks: LockSet,
        bridge: Bridge,
        runner_of: Callable[[str], BranchRunner],
    ):
        self._context = context
        self._findings = findings
        self._connection = connection
        self._locks = locks
        self._bridge = bridge
        self._runner_of = runner_of
        self._namespace = next(
            tree.branch.namespace
            for tree in context.graph.trees.values()
            if tree.branch.namespace.lock_key == locks.own
        )
        self._session = StepSession(connection, context.settings, self._namespace)
        self._prepared: set[str] = set()
        self._not_empty: set[str] = set()

    def run(self, rows: Mapping[str, tuple[str, ...]]) -> int:
        """Run steps until none of the namespace may be run under these locks.

        ``rows`` are those of the last look; the branches under these locks are read again first.
        Returns 0 where nothing was run and nothing new was found out.
        """
        graph = self._context.graph
        keys = {self._locks.own, *self._locks.shared}
        covered = frozenset(n for n, t in graph.trees.items() if t.branch.namespace.lock_key in keys)
        state, judged = look(self._connection, graph, covered, policy=self._context.policy)
        current = {**rows, **{name: judged[name].rows for name in covered}}
        # Where the database is ahead, the version table has rows that this code does not know.
        written = dict(state.rows)
        got_on = int(any(rows[name] != current[name] for name in covered))
        blocked_before = len(self._findings.blocked)
        for name in covered:
            is_own = graph.trees[name].branch.namespace.lock_key == self._locks.own
            if is_own and name not in self._findings.blocked:
                judge(name, self._context, self._findings, self._connection, state, judged[name])
        pending = graph.pending(current, self._context.only)
        frontier = Frontier(graph, self._findings.of_use(pending))
        rest = self._bridge.rest
        contracting = Contracting(self._context, self._connection, self._namespace, first=rest)
        try:
            while (node := self._next(frontier, covered)) is not None:
                self._context.stop.check()
                step = self._step(node)
                if self._asks_before(step, state):
                    rest()
                self._record_release(step)
                if held := contracting.holds_back(node, state):
                    self._findings.deferred = {**self._findings.deferred, node: held}
                    got_on += 1
                    break
                if not self._prepare(step, state):
                    break
                untouched = node.branch in frontier.at_once and not current[node.branch]
                if untouched and self._may_bootstrap(node.branch):
                    step = self._bootstrap(step)
                goes_on = len(frontier) > 1 + len(step.also)
                if self._run(step, current, written, state, goes_on=goes_on) is None:
                    break
                for known in (current, written):
                    known[node.branch] = self._runner_of(node.branch).rows_after(
                        known[node.branch], *step.revisions
                    )
                for done in (step, *step.also):
                    frontier.complete(done.node)
                got_on += 1
        finally:
            rest()
            contracting.end()
        return got_on + len(self._findings.blocked) - blocked_before

    def _next(self, frontier: Frontier, covered: frozenset[str]) -> Node | None:
        graph = self._context.graph
        for node in frontier.ready():
            if node.branch in self._findings.blocked:
                continue
            if graph.trees[node.branch].branch.namespace.lock_key != self._locks.own:
                continue
            if {need.branch for need in frontier.foreign_needs(node)} <= covered:
                return node
        return None

    def _step(self, node: Node) -> Step:
        step = step_at(self._context.graph, node)
        return Step(
            node=step.node,
            namespace=step.namespace,
            revision=step.revision,
            depends_on=step.depends_on,
            facts=self._context.facts(node),
        )

    def _record_release(self, step: Step) -> None:
        """Write down what this code knows, before it changes anything; once in a pass."""
        context = self._context
        if context.is_recorded or step.namespace == LEDGER_NAMESPACE:
            return
        release = context.release
        if not is_recorded(self._connection, release):
            compiled = context.compiled
            record_release(
                self._connection,
                context.graph,
                release,
                lambda node: context.facts(node) if node in compiled else None,
            )
        context.is_recorded = True

    def _asks_before(self, step: Step, state: DatabaseState) -> bool:
        """Whether the connection is needed, out of any transaction, between the last step and this one."""
        name = step.node.branch
        attempt = state.open_steps.get(step.namespace)
        return (
            name not in self._prepared
            or not self._context.is_recorded
            or (attempt is not None and attempt.partial)
            or self._runner_of(name).may_touch_driver(step)
        )

    def _may_bootstrap(self, name: str) -> bool:
        """Whether the namespace is empty but for version tables; asked before the branch's first step."""
        if name in self._not_empty:
            return False
        trees = self._context.graph.trees
        here = trees[name].branch.namespace.schema
        tables = [
            t.branch.namespace.version_table for t in trees.values() if t.branch.namespace.schema == here
        ]
        if is_empty(self._connection, here, besides=tables):
            return True
        self._not_empty.add(name)  # what its first revision makes is not to be asked about again
        return False

    def _bootstrap(self, step: Step) -> Step:
        """The step in which the branch's bootstrap makes all that its target wants."""
        name = step.node.branch
        tree = self._context.graph.trees[name]
        nodes = [Node(name, revision) for revision in tree.order if revision in tree.wanted]
        first, *others = [self._step(node) for node in nodes]
        return replace(first, at_once=True, also=tuple(others))

    def _prepare(self, step: Step, state: DatabaseState) -> bool:
        """Make schema, version table and extensions; False where another namespace's lock is in the way."""
        name = step.node.branch
        if name in self._prepared:
            return True
        tree = self._context.graph.trees[name]
        missing = missing_extensions(self._connection, tree.branch.extensions)
        if missing:
            lock = LockSet(self._connection, LEDGER_NAMESPACE)
            if not lock.try_take():
                return False
            try:
                create_extensions(
                    self._connection, tree.branch, missing, schema=self._context.settings.extension_schema
                )
            except StepFailed as error:
                self._findings.blocked[name] = error
                return False
            finally:
                lock.release()
        try:
            prepare_version_table(self._connection, tree, exists=name not in state.without_table)
        except StepFailed as error:
            self._findings.blocked[name] = error
            return False
        self._prepared.add(name)
        return True

    def _run(
        self,
        step: Step,
        current: Mapping[str, tuple[str, ...]],
        written: Mapping[str, tuple[str, ...]],
        state: DatabaseState,
        *,
        goes_on: bool,
    ) -> StepResult | None:
        """Run one step; None where the database must be looked at again."""
        context, name = self._context, step.node.branch
        branch = context.graph.trees[name].branch
        attempt = state.open_steps.get(branch.namespace)
        if attempt is not None and attempt.partial:
            self._session.without_lock_timeout()
            for index in drop_invalid_indexes(self._connection, branch.namespace.schema):
                _log.warning(
                    "%s: dropped the invalid index %r of an attempt that was cut short",
                    step.node,
                    index,
                    extra=step.extra("index.dropped"),
                )
        context.observer.step_started(step)
        runner = StepRunner(
            connection=self._connection,
            session=self._session,
            bridge=self._bridge,
            runner=self._runner_of(name),
            branch=branch,
            context=context,
        )
        try:
            result, failure = runner.run(
                step,
                written[name],
                required=[f"{n}@{h}" for n in context.graph.first[name] if n != LEDGER for h in current[n]],
                settle=attempt is not None,
                has_ledger=state.has_ledger,
                goes_on=goes_on,
            )
        except RowsChanged as error:
            _log.warning("%s: %s; looking again", step.node, error, extra=step.extra("step.overtaken"))
            context.observer.retried("overtaken")
            return None
        except ConnectionLost as lost:
            self._findings.doubtful.append((step, lost))
            raise
        if failure is None:
            self._findings.count(step, result)
        else:
            self._findings.failed = self._findings.failed or result
            self._findings.blocked[name] = failure
        context.observer.step_finished(step, result)
        context.step_finished(step, result)
        return result if failure is None else None
