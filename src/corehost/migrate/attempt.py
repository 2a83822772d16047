"""Runs one step: attempts, the watcher over its transaction, and what its end means."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import psycopg

from corehost.core.branch import Branch
from corehost.core.errors import MigrationError, StepFailed, Where
from corehost.core.jitter import between
from corehost.core.plan import Step
from corehost.core.results import StepResult
from corehost.migrate.running import RunningStep, running_step
from corehost.migrate.watcher import StepWatcher
from corehost.postgres import sql
from corehost.postgres.batches import forget
from corehost.postgres.connect import Connection, execute, is_lost, remedy
from corehost.postgres.ledger import RowsChanged, StepRecord, without_secrets
from corehost.postgres.prepared import StatementGone
from corehost.postgres.session import StepSession

if TYPE_CHECKING:
    from corehost.alembic.bridge import Bridge
    from corehost.alembic.runner import BranchRunner
    from corehost.migrate.context import PassContext

_log = logging.getLogger("corehost")

_RETRYABLE: Final[Mapping[type[Exception], str]] = {
    psycopg.errors.LockNotAvailable: "lock_timeout",
    psycopg.errors.DeadlockDetected: "deadlock",
    psycopg.errors.SerializationFailure: "serialization",
    StatementGone: "deallocated",
}
"""What passes by trying again, and how it is counted."""
_SHORTEST_BACKOFF: Final = 0.05
_LONGEST_BACKOFF: Final = 2.0


class ConnectionLost(Exception):
    """The connection went away while a step ran; whether it is committed must be asked anew."""

    def __init__(self, record: StepRecord, started_at: datetime, began: float, *, batches: int = 0):
        super().__init__("the connection was lost")
        self.batches = batches
        self.record = record
        self.started_at = started_at
        self.began = began


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRunner:
    """What is needed to run steps of one branch on one connection, its lock held."""

    connection: Connection
    session: StepSession
    bridge: Bridge
    runner: BranchRunner
    branch: Branch
    context: PassContext
    """Its ``contexts`` are entered around a step; its ``step_started`` is told before, and may fail it."""
    lock_key: int | None = None
    """The lock under which the step is run, where that is not the namespace's own."""
    before_finish: Callable[[RunningStep], None] = lambda _: None
    """Called before the step is committed; its exception is the step's."""

    def run(
        self,
        step: Step,
        rows: Sequence[str],
        *,
        required: Sequence[str],
        settle: bool,
        has_ledger: bool,
        goes_on: bool = False,
    ) -> tuple[StepResult, StepFailed | None]:
        """Apply a step, trying again while it cannot have its table locks.

        ``goes_on`` where another step is likely to follow at once on the same connection: the next
        transaction is begun with the end of this one. A failure is recorded in the ledger and returned.
        Raises RowsChanged (nothing was done: look again) and ConnectionLost.
        """
        after = self.runner.rows_after(rows, *step.revisions)
        attempt = 0
        while True:
            attempt += 1
            record = self._record(step, required)
            started_at, began = datetime.now(UTC), time.monotonic()
            running = RunningStep(
                step=step,
                connection=self.connection,
                record=record,
                stop=self.context.stop,
                elapsed_ms=partial(_ms_since, began),
            )
            try:
                self._try(running, rows, after, settle=settle, has_ledger=has_ledger, goes_on=goes_on)
            except RowsChanged:
                raise
            except Exception as error:
                cause = _database_error(error)
                if is_lost(cause) or self.connection.closed:
                    raise ConnectionLost(record, started_at, began, batches=running.batches) from error
                self.session.forget()
                if running.batches:
                    attempt = 1  # it got on: what is counted are tries at the same batch
                if (stopped := self.context.stop.reason(cause)) is not None:
                    raise stopped from error
                if (
                    isinstance(cause, tuple(_RETRYABLE))
                    and attempt < self.context.settings.lock_attempts
                    and not record.is_partial(self.connection)
                ):
                    self._tell_of_retry(step, cause, attempt)
                    self.context.stop.sleep(_backoff(attempt))
                    self.context.stop.check()
                    continue
                failure = self._failed(step, record, error, began, has_ledger=has_ledger)
                failure.__cause__ = error
                return _result(step, started_at, began, error=describe(error)), failure
            return _result(step, started_at, began), None

    def _tell_of_retry(self, step: Step, cause: BaseException, attempt: int) -> None:
        self.context.observer.retrying(step, _first_line(cause), attempt)
        self.context.observer.retried(
            next(name for kind, name in _RETRYABLE.items() if isinstance(cause, kind))
        )

    def _try(
        self,
        running: RunningStep,
        before: Sequence[str],
        after: Sequence[str],
        *,
        settle: bool,
        has_ledger: bool,
        goes_on: bool,
    ) -> None:
        step, record = running.step, running.record
        watcher = StepWatcher(running, self.session, enabled=has_ledger)

        def finish() -> None:
            self.before_finish(running)
            if step.at_once:
                execute(self.connection, sql.RESET_ROLE)  # the bootstrap may have taken one
            if running.loops:
                forget(self.connection, record.values)
            for other in step.also:
                self._record(other, action=_action(step)).add(self.connection)
            now = record.finish(
                self.connection,
                before=before,
                after=after,
                settle=settle,
                duration_ms=running.elapsed_ms(),
                begin=goes_on,
            )
            watcher.finished = True
            self.session.found(*now)

        self.context.step_started(step)
        with ExitStack() as stack:
            for context in self.context.contexts(self.branch):
                stack.enter_context(context)
            self.session.prepare(lock_timeout=step.facts.lock_timeout, first=self.bridge.rest)
            with self.bridge.borrowed(watcher) as connection, running_step(running):
                self.runner.upgrade(step, connection, finish)
        if record.started:
            self.session.forget()

    def _record(self, step: Step, required: Sequence[str] = (), *, action: str | None = None) -> StepRecord:
        return StepRecord(
            step,
            self.branch,
            pass_id=self.context.pass_id,
            required=required,
            action=action or _action(step),
            release=self.context.release.digest,
            knows_releases=not self.branch.is_ledger,
            lock_key=self.lock_key,
        )

    def _failed(
        self, step: Step, record: StepRecord, error: BaseException, began: float, *, has_ledger: bool
    ) -> StepFailed:
        text = describe(error)
        is_partial = False
        if has_ledger:
            is_partial = record.is_partial(self.connection)
            record.fail(self.connection, error=text, duration_ms=_ms_since(began))
        hint = remedy(_database_error(error))
        if is_partial:
            told = "a part of it is committed: look at the database, then use 'corehost resolve {} {}'"
            hint = told.format(step.node.branch, step.node.revision)
        return StepFailed(
            f"{'the bootstrap' if step.at_once else f'revision {step.node.revision}'} failed: {text}",
            where=_where(step, self.branch, error),
            hint=hint,
        )


def _action(step: Step) -> str:
    return "bootstrap" if step.at_once else "upgrade"


def describe(error: BaseException) -> str:
    """One error as one line, secrets removed."""
    cause = _database_error(error)
    if isinstance(cause, MigrationError):
        return without_secrets(str(cause))
    return without_secrets(f"{type(cause).__name__}: {_first_line(cause)}")


def _result(step: Step, started_at: datetime, began: float, *, error: str | None = None) -> StepResult:
    return StepResult(
        node=step.node,
        outcome="failed" if error else "applied",
        started_at=started_at,
        duration_ms=_ms_since(began),
        error=error,
    )


def _database_error(error: BaseException) -> BaseException:
    """The driver's error inside SQLAlchemy's."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else ""


def _where(step: Step, branch: Branch, error: BaseException) -> Where:
    file = step.revision.path
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == step.revision.path:
            file = f"{frame.filename}:{frame.lineno}"
    return replace(branch.origin.where(branch=branch.name, file=file), revision=step.node.revision)


def _backoff(attempt: int) -> float:
    longest = min(_SHORTEST_BACKOFF * 2 ** (attempt - 1), _LONGEST_BACKOFF)
    return between(longest / 2, longest)  # two holders that meet again must not meet in step


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000
