"""Writes and reads the ledger: who applied what, when, from which version, how long it took."""

from __future__ import annotations

import os
import re
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from corehost.core.branch import Branch
from corehost.core.errors import MigrationError
from corehost.core.namespace import Namespace
from corehost.core.plan import Step
from corehost.core.version import VERSION
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute
from corehost.postgres.prepared import execute_between, execute_prepared


class LockLost(MigrationError):
    """The namespace's lock was gone when the step was to be committed; nothing was."""

    code = "lock_lost"


class RowsChanged(MigrationError):
    """The version rows are not those that were read under the lock; nothing was committed."""

    code = "rows_changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One attempt to run a revision, as the ledger has it."""

    id: int
    branch: str
    schema_name: str
    version_table: str
    revision: str
    action: str
    outcome: str
    open: bool
    partial: bool
    parents: Sequence[str]
    depends_on: Sequence[str]
    required: Sequence[str]
    phase: str | None
    distribution: str | None
    version: str | None
    corehost_version: str | None
    host: str | None
    pid: int | None
    started_at: datetime
    finished_at: datetime | None
    duration_ms: float | None
    error: str | None


class StepRecord:
    """The ledger's side of one step: what is to be written, whichever way the step ends."""

    def __init__(
        self,
        step: Step,
        branch: Branch,
        *,
        pass_id: uuid.UUID,
        required: Iterable[str] = (),
        action: str = "upgrade",
        release: str | None = None,
        knows_releases: bool = True,
        lock_key: int | None = None,
    ):
        self._namespace = step.namespace
        self._knows_releases = knows_releases  # the ledger's own first revisions make the columns
        self._started_id: int | None = None
        self._values: dict[str, Any] = {
            "key": step.namespace.lock_key if lock_key is None else lock_key,
            "schema_name": step.namespace.schema,
            "version_table": step.namespace.version_table,
            "branch": step.node.branch,
            "revision": step.node.revision,
            "action": action,
            "parents": list(step.revision.down_revision),
            "depends_on": [str(node) for node in step.depends_on],
            "required": list(required),
            "phase": step.facts.phase,
            "distribution": branch.origin.distribution,
            "version": branch.origin.version,
            "corehost_version": VERSION,
            "pass_id": str(pass_id),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "destructive": step.destructive if step.is_read else None,
            "release": release,
        }

    @property
    def values(self) -> Mapping[str, Any]:
        """What statements about this step are given: which it is, and the key of its lock."""
        return self._values

    @property
    def started(self) -> bool:
        """Whether 'started' was written, since a part of the step was about to be committed."""
        return self._started_id is not None

    def adopt(self, started_id: int) -> None:
        """Finish what an earlier attempt had begun."""
        self._started_id = started_id

    def start(self, connection: Connection, *, duration_ms: float, partial: bool = True) -> None:
        """Write 'started' in the transaction that is about to be committed, unless it is there already.

        ``partial`` is False where the step can go on behind what is committed, whoever runs it next.
        Raises LockLost, the transaction to be rolled back, where the namespace's lock is gone.
        """
        ((role,),) = execute(connection, sql.ROLE)
        if role != "none":  # one of the revision's, which may have no right to write the ledger
            execute(connection, sql.SET_ROLE, ("none",))
        if not self._is_written(
            connection
        ):  # a part of the step that was rolled back may have taken it along
            values = {**self._values, "duration_ms": duration_ms, "partial": partial}
            with lock_checked():
                ((self._started_id,),) = execute(connection, self.fit(sql.RECORD_STARTED), values)
        elif partial:
            with lock_checked():
                execute(connection, sql.MARK_PARTIAL, {**self._values, "started_id": self._started_id})
        if role != "none":
            execute(connection, sql.SET_ROLE, (role,))

    def finish(
        self,
        connection: Connection,
        *,
        before: Sequence[str],
        after: Sequence[str],
        settle: bool,
        duration_ms: float,
        begin: bool = False,
    ) -> tuple[str, ...]:
        """Check the lock and the rows, write rows and ledger, commit: one round trip.

        With ``begin`` it begins the next transaction as well. Returns the session's settings as the step
        left them. Raises LockLost or RowsChanged, the transaction rolled back by the server, and
        psycopg's errors.
        """
        record = self.fit(sql.FINISH_STARTED if self.started else sql.RECORD_APPLIED)
        values = {**self._values, "started_id": self._started_id, "duration_ms": duration_ms}
        return commit_rows(
            connection,
            self._namespace,
            record,
            values,
            before=before,
            after=after,
            settle=settle,
            prepared=not self.started,  # of which nothing may be undone by a statement that is gone
            begin=begin,
        )

    def add(self, connection: Connection) -> None:
        """Write that the revision is applied, in a transaction that :func:`commit_rows` ends."""
        execute(connection, self.fit(sql.ADD_APPLIED), self._values)

    def fail(self, connection: Connection, *, error: str, duration_ms: float) -> None:
        """Record the failure, after the step's transaction was rolled back."""
        execute(connection, sql.RESET_ROLE)
        values = {**self._values, "error": error, "duration_ms": duration_ms, "started_id": self._started_id}
        if not self.started or not execute(connection, sql.FAIL_STARTED, values).rowcount:
            execute(connection, self.fit(sql.RECORD_FAILED), values)

    def is_partial(self, connection: Connection) -> bool:
        """Whether a part of the failed step is committed that it cannot go on behind."""
        if not self.started:
            return False
        execute(connection, sql.RESET_ROLE)  # the revision's own may have been committed along
        return execute(connection, sql.IS_PARTIAL, {"started_id": self._started_id}).fetchone() is not None

    def fit(self, statement: str) -> str:
        """The statement, as the ledger's tables are when this step is recorded."""
        return statement if self._knows_releases else sql.without_releases(statement)

    def _is_written(self, connection: Connection) -> bool:
        if not self.started:
            return False
        return execute(connection, sql.IS_STARTED, {"started_id": self._started_id}).fetchone() is not None

    def was_applied(self, connection: Connection) -> bool:
        """Whether this very attempt is committed, asked when a COMMIT's answer never came."""
        return execute(connection, sql.APPLIED_BY_PASS, self._values).fetchone() is not None


@contextmanager
def lock_checked() -> Iterator[None]:
    """Tell the refusal of a statement that asks for the namespace's lock: raises LockLost."""
    try:
        yield
    except psycopg.errors.InvalidTextRepresentation as error:
        if "corehost: lock lost" not in str(error):
            raise
        raise LockLost("the namespace's lock was lost while the step ran") from error


def commit_values(before: Sequence[str], after: Sequence[str], *, settle: bool) -> dict[str, Any]:
    """What the statement that commits a step is given beside the step's own values."""
    return {
        "before": sorted(before),
        "after": sorted(after),
        "removed": sorted(set(before) - set(after)),
        "added": sorted(set(after) - set(before)),
        "settle": settle,
    }


def commit_rows(
    connection: Connection,
    namespace: Namespace,
    record: str,
    values: Mapping[str, Any],
    *,
    before: Sequence[str],
    after: Sequence[str],
    settle: bool,
    prepared: bool = False,
    begin: bool = False,
) -> tuple[str, ...]:
    """Check the lock and the rows, write rows and ledger (as ``record`` says), commit: one round trip.

    ``prepared`` is for what comes with every step, ``begin`` where another step follows. Returns the
    session's settings. Raises LockLost or RowsChanged, the transaction rolled back by the server,
    StatementGone, and psycopg's errors.
    """
    more = commit_values(before, after, settle=settle)
    try:
        run = execute_prepared if prepared else execute_between
        with lock_checked():
            cursor = run(
                connection,
                sql.finish_statement(namespace, record),
                {**values, **more},
                before=sql.RESET_ROLE,
                after="COMMIT; BEGIN" if begin else "COMMIT",
            )
    except psycopg.errors.InvalidTextRepresentation as error:
        if "corehost: rows changed" in str(error):
            raise RowsChanged("the version table was changed by somebody else meanwhile") from error
        raise
    ((_, *settings),) = cursor
    return tuple(settings)


def read_history(
    connection: Connection, *, branch: str | None = None, before: int | None = None, limit: int | None = None
) -> tuple[HistoryEntry, ...]:
    """The newest attempts (all without a ``limit``), oldest first; ``before`` is the id of one, left out."""
    cursor = execute(connection, sql.HISTORY, {"branch": branch, "before": before, "limit": limit})
    names = [column.name for column in cursor.description or ()]
    entries = [HistoryEntry(**dict(zip(names, row, strict=True))) for row in cursor]
    return tuple(reversed(entries))


_SECRETS = re.compile(r"(://[^:/@\s]*:)[^@\s]+(?=@)|(password\s*=\s*)\S+", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """An error's text with passwords of connection strings taken out."""
    return _SECRETS.sub(lambda match: (match[1] or match[2]) + "***", text)
