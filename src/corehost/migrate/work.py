"""One namespace's work: what is done between taking its lock and giving it back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from corehost.core.errors import IncompatibleDatabase, StepFailed
from corehost.core.namespace import LEDGER, LEDGER_NAMESPACE
from corehost.core.plan import Frontier, Step, step_at
from corehost.core.results import StepResult
from corehost.core.revision import Node
from corehost.core.standing import Standing
from corehost.core.state import DatabaseState, OpenStep
from corehost.migrate.attempt import ConnectionLost, StepRunner
from corehost.migrate.context import PassContext
from corehost.migrate.contracting import Contracting
from corehost.migrate.findings import Findings
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import RowsChanged
from corehost.postgres.locks import LockSet, holders
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
    from corehost.alembic.bridge import BranchRunner, Bridge

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
            self._judge(name, state, judged[name])
        pending = graph.pending(current, self._context.only)
        frontier = Frontier(graph, self._findings.of_use(pending))
        contracting = Contracting(self._context, self._connection, self._namespace)
        try:
            while (node := self._next(frontier, covered)) is not None:
                self._context.stop.check()
                step = self._step(node)
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
                if self._run(step, current, written, state) is None:
                    break
                for known in (current, written):
                    known[node.branch] = self._runner_of(node.branch).rows_after(
                        known[node.branch], *step.revisions
                    )
                for done in (step, *step.also):
                    frontier.complete(done.node)
                got_on += 1
        finally:
            contracting.end()
        return got_on + len(self._findings.blocked) - blocked_before

    def _judge(self, name: str, state: DatabaseState, standing: Standing) -> None:
        """Note what must not be run; 'in doubt' is concluded here, under the lock, never from a look."""
        branch = self._context.graph.trees[name].branch
        if branch.namespace.lock_key != self._locks.own or name in self._findings.blocked:
            return
        where = branch.origin.where(branch=name)
        if standing.blocked:
            self._findings.blocked[name] = standing.error(self._context.graph.trees[name])
            return
        attempt = state.open_steps.get(branch.namespace)
        if attempt is not None and attempt.partial:
            is_known = attempt.revision in self._context.graph.trees[name].revisions
            if is_known and self._context.facts(Node(name, attempt.revision)).retry_safe:
                return
            if self._runs_in_background(attempt):
                return
            self._findings.blocked[name] = IncompatibleDatabase(
                f"{attempt.what} is in doubt: begun at {attempt.started_at:%Y-%m-%d %H:%M:%S}"
                f" by {attempt.host}:{attempt.pid}, and a part of it may be committed",
                where=where,
                hint=f"look at the database, then say how it stands with 'corehost resolve {name}"
                f" {attempt.revision}'",
            )
        elif (
            # Somebody has tried it since this pass began: thirty instances need not all do so.
            attempt is not None
            and attempt.failed
            and attempt.id not in self._context.old_failures
            and attempt.version == branch.origin.version
        ):
            self._findings.blocked[name] = StepFailed(
                f"{attempt.what} failed at {attempt.host}:{attempt.pid}: {attempt.error}",
                where=replace(where, revision=attempt.revision),
            )

    def _runs_in_background(self, attempt: OpenStep) -> bool:
        """Whether it is run at this moment, under the lock of background steps."""
        found = holders(self._connection, [attempt.namespace.background.lock_key])
        return any(holder.pid == attempt.backend_pid for holder in found.values())

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
            settings=context.settings,
            pass_id=context.pass_id,
            release=context.release.digest,
            observer=context.observer,
            contexts=context.contexts,
            before_step=context.step_started,
            stop=context.stop,
        )
        try:
            result, failure = runner.run(
                step,
                written[name],
                required=[f"{n}@{h}" for n in context.graph.first[name] if n != LEDGER for h in current[n]],
                settle=attempt is not None,
                has_ledger=state.has_ledger,
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
