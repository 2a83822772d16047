"""Background steps: run behind all others, under a lock of their own, while instances serve."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from corehost.alembic.runners import Runners
from corehost.core.errors import DatabaseUnavailable, IncompatibleDatabase, MigrationError, WaitTimedOut
from corehost.core.namespace import LEDGER
from corehost.core.plan import Step, step_at
from corehost.core.results import StepResult
from corehost.core.revision import Node
from corehost.core.standing import Standing
from corehost.core.state import DatabaseState
from corehost.migrate.attempt import ConnectionLost, StepRunner
from corehost.migrate.beacon import Beacon
from corehost.migrate.context import PassContext
from corehost.migrate.findings import Findings
from corehost.migrate.link import Link
from corehost.migrate.observer import Several
from corehost.migrate.running import RunningStep
from corehost.postgres.connect import Connection, Connector, is_passing, translated_errors
from corehost.postgres.ledger import RowsChanged
from corehost.postgres.locks import LockSet, holders
from corehost.postgres.prepare import drop_invalid_indexes
from corehost.postgres.session import StepSession
from corehost.readiness.deferred import background_steps
from corehost.readiness.look import look
from corehost.readiness.pace import Pace

_log = logging.getLogger("corehost")

_PATIENCE: Final = 5.0
"""Seconds for which the end of a step that would have to be run anew waits for the namespace's lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """One look, and the background steps that may be run now."""

    state: DatabaseState
    standings: Mapping[str, Standing]
    nodes: tuple[Node, ...]


class BackgroundSteps:
    """Runs the background steps of which nothing else is pending.

    The lock is one of the namespace's own for this purpose: whoever migrates the namespace meanwhile, or
    becomes ready on it, does not wait. Only the commit of the step's end, which changes the version rows,
    is done under the namespace's lock.
    """

    def __init__(self, context: PassContext, connector: Connector, *, wait: bool):
        self.stop = context.stop
        """Asks it to end, behind a batch."""
        self._link = Link(connector, context.settings, context.stop)
        self._beacon = Beacon(
            connector, context.observer, graph=context.graph, backend=lambda: self._link.backend
        )
        self._context = replace(context, observer=Several(self._beacon, context.observer))
        self._wait = wait
        self._pace = Pace(context.settings.wait_timeout, sleep=context.stop.sleep)
        self._findings = Findings()
        self._runners = Runners(context.graph)

    def run(self) -> tuple[StepResult, ...]:
        """Run what may be run; returns what was applied here.

        Raises StepFailed, IncompatibleDatabase, WaitTimedOut (others run it; at once without ``wait``),
        DatabaseUnavailable, PassStopped.
        """
        self.stop.watch()
        try:
            while True:
                self.stop.check()
                try:
                    with translated_errors():
                        view = self._look()
                        if not view.nodes:
                            return tuple(self._findings.applied)
                        got_on = self._work(view)
                except (DatabaseUnavailable, ConnectionLost) as error:
                    self._reconnect(error)
                    continue
                if got_on:
                    self._pace.progress()
                else:
                    self._await(view)
        finally:
            self.stop.close()
            self._beacon.end(self._link.connection)
            self._link.close()

    def _look(self) -> _View:
        context, connection = self._context, self._link.open()
        graph = context.graph
        state, standings = look(connection, graph, policy=context.policy)
        self._findings.settle_doubtful(connection, has_ledger=state.has_ledger)
        pending = graph.pending({name: standing.rows for name, standing in standings.items()})
        found = background_steps(connection, graph, state, pending, context.policy)
        wanted = graph.wanted(context.only)
        return _View(
            state=state,
            standings=standings,
            nodes=tuple(
                node
                for node in sorted(found)
                if found[node].in_background
                and node.revision in wanted.get(node.branch, ())
                and not any(need in pending for need in graph.needs(node))
                and not standings[node.branch].blocked
            ),
        )

    def _work(self, view: _View) -> bool:
        for node in view.nodes:
            namespace = self._context.graph.trees[node.branch].branch.namespace
            locks = self._link.try_locks(namespace.background, ())
            if locks is None:
                continue
            try:
                # Whoever had the lock before may have finished the step.
                again = self._look()
                return node not in again.nodes or self._run(node, again, locks)
            finally:
                self._link.release(locks)
        return False

    def _run(self, node: Node, view: _View, locks: LockSet) -> bool:
        """Run one step; False where the namespace's lock could not be had at its end."""
        context, connection = self._context, self._link.open()
        branch = context.graph.trees[node.branch].branch
        step = replace(step_at(context.graph, node), facts=context.facts(node))
        self._refuse_doubt(step, view.state, connection)
        own = LockSet(connection, branch.namespace)
        has_own = False

        def take_own(running: RunningStep) -> None:
            nonlocal has_own
            until = time.monotonic() + (0.0 if running.loops else _PATIENCE)
            while not (has_own := own.try_take()):
                if time.monotonic() >= until:
                    raise RowsChanged("somebody else is at work on the namespace")
                context.stop.sleep(0.05)
                context.stop.check()

        attempt = view.state.open_steps.get(branch.namespace)
        runner = StepRunner(
            connection=connection,
            session=StepSession(connection, context.settings, branch.namespace),
            bridge=self._link.bridge(),
            runner=self._runners.of(node.branch),
            branch=branch,
            context=context,
            lock_key=locks.own,
            before_finish=take_own,
        )
        context.observer.step_started(step)
        rows = {name: standing.rows for name, standing in view.standings.items()}
        try:
            result, failure = runner.run(
                step,
                view.state.rows[node.branch],
                required=[
                    f"{n}@{h}" for n in context.graph.first[node.branch] if n != LEDGER for h in rows[n]
                ],
                settle=attempt is not None,
                has_ledger=True,
            )
        except RowsChanged as error:
            _log.info("%s: %s; looking again", step.node, error, extra=step.extra("step.overtaken"))
            return False
        except ConnectionLost as lost:
            self._findings.doubtful.append((step, lost))
            raise
        finally:
            if has_own and not connection.closed:
                own.release()
        if failure is None:
            self._findings.count(step, result)
        context.observer.step_finished(step, result)
        context.step_finished(step, result)
        if failure is not None:
            raise failure
        return True

    def _refuse_doubt(self, step: Step, state: DatabaseState, connection: Connection) -> None:
        """A part of a step that is no batch may be committed: as for any other step somebody has to look."""
        attempt = state.open_steps.get(step.namespace)
        if attempt is None or not attempt.partial:
            return
        if attempt.revision != step.node.revision or not step.facts.retry_safe:
            raise IncompatibleDatabase(
                f"revision {attempt.revision} is in doubt",
                where=self._context.graph.trees[step.node.branch].where(attempt.revision),
                hint="look at the database, then say how it stands with 'corehost resolve'",
            )
        drop_invalid_indexes(connection, step.namespace.schema)

    def _await(self, view: _View) -> None:
        """Somebody else runs it, or holds the namespace's lock: look again in a while."""
        trees = self._context.graph.trees
        places = {trees[node.branch].branch.namespace for node in view.nodes}
        keys = [place.background.lock_key for place in places] + [place.lock_key for place in places]
        found = holders(self._link.open(), sorted(keys))
        listed = ", ".join(f"pid {h.pid} ({h.application_name})" for _, h in sorted(found.items()))
        schemas = ", ".join(sorted(place.schema for place in places))
        message = f"background steps of {schemas} are run by {listed or 'others'}"
        if not self._wait:
            raise WaitTimedOut(f"not waiting: {message}")
        self._context.observer.waiting(message)
        self._pace.note(view.state.fingerprint(), active=any(holder.active for holder in found.values()))
        if self._pace.timed_out:
            raise WaitTimedOut(f"nobody has made progress for too long: {message}")
        self._link.close()
        self._pace.pause()

    def _reconnect(self, error: DatabaseUnavailable | ConnectionLost) -> None:
        self._link.close()
        if isinstance(error, ConnectionLost):
            self._findings.count_losses(self._context.graph)
            if error.batches:
                self._pace.progress()
        cause = error.__cause__
        passing = isinstance(error, ConnectionLost) or cause is None or is_passing(cause)
        if self._findings.blocked:
            raise self._findings.conclusion()
        if not passing or not self._wait or self._pace.timed_out:
            if isinstance(error, MigrationError):
                raise error
            raise DatabaseUnavailable("the connection was lost while a step ran") from error
        self._pace.pause()
