"""SQLAlchemy over the connection of the pass, and a watch over what a revision does to its transaction."""

from __future__ import annotations

import inspect
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, Protocol

import psycopg
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from corehost.alembic.statements import ends_transaction

# Too much rather than too little: what is no commit costs a row that is then rolled back or finished.
_MAY_COMMIT: Final = re.compile(
    r"(?:^|;|\*/)\s*(?:COMMIT|END|PREPARE\s+TRANSACTION)\b", re.IGNORECASE | re.MULTILINE
)
_IDLE: Final = psycopg.pq.TransactionStatus.IDLE
_IN_TRANSACTION: Final = psycopg.pq.TransactionStatus.INTRANS
_AUTOCOMMIT_BLOCK: Final = inspect.unwrap(MigrationContext.autocommit_block).__code__


class Watcher(Protocol):
    """Told of what a running revision does to its transaction."""

    def before_early_commit(self) -> None:
        """A part of the step is about to be committed, on the same connection."""

    def autocommit(self, active: bool) -> None:
        """Statements now run outside (or again inside) a transaction."""

    def meddled(self, what: str) -> None:
        """The revision does what the lock, or the step's one transaction, cannot answer for."""


class Bridge:
    """SQLAlchemy over one psycopg connection of the pass."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._connection: sa.Connection | None = None
        self._thread: int | None = None
        self._watcher: Watcher | None = None
        self._in_autocommit = False
        # One connection, made elsewhere and closed elsewhere; SQLAlchemy may not reset it in between.
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None
        )
        event.listen(self._engine, "commit", self._on_commit)
        event.listen(self._engine, "before_cursor_execute", self._on_statement)
        event.listen(self._engine, "after_cursor_execute", self._after_statement)

    @contextmanager
    def borrowed(self, watcher: Watcher) -> Iterator[sa.Connection]:
        """A SQLAlchemy connection for one attempt of a step; what is not committed is rolled back.

        It is kept for the next step where this one's end has begun the next transaction already; whoever
        needs the connection of the pass in between has to ask for a :meth:`rest` first.
        """
        connection = self._connection or self._connect()
        self._watcher, self._in_autocommit = watcher, False
        went_well = False
        try:
            yield connection
            went_well = True
        finally:
            self._watcher = None
            if not (went_well and self._goes_on(connection)):
                self.rest()

    def rest(self) -> None:
        """End what a step has begun for the next one; the pass's connection is in autocommit mode then."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        event.remove(sa.Engine, "engine_connect", self._on_connect)
        raw = self._raw
        try:
            # Of a connection that is gone, whoever uses it next finds that out: nothing is lost with this.
            with suppress(psycopg.Error):
                if not raw.closed and raw.info.transaction_status != _IDLE:
                    raw.rollback()
        finally:
            with suppress(sa.exc.DBAPIError, psycopg.Error):
                connection.close()
            if not raw.closed:
                raw.autocommit = True
                raw.isolation_level = None

    def _connect(self) -> sa.Connection:
        self._raw.autocommit = False
        try:
            self._connection = self._engine.connect()
        except BaseException:  # SQLAlchemy asks the server a few things before its first use
            if not self._raw.closed:
                self._raw.rollback()
                self._raw.autocommit = True
            raise
        self._thread = threading.get_ident()
        event.listen(sa.Engine, "engine_connect", self._on_connect)
        return self._connection

    def _goes_on(self, connection: sa.Connection) -> bool:
        """Whether the next transaction is begun, and nothing of the step is left on the connection."""
        raw = self._raw
        return (
            raw.info.transaction_status == _IN_TRANSACTION
            and not raw.autocommit
            and raw.isolation_level is None
            and connection.in_transaction()
            and not connection.in_nested_transaction()
            and not connection.get_execution_options()
        )

    def _on_connect(self, connection: sa.Connection) -> None:
        """Notice connections that the step's thread gets from any other engine meanwhile."""
        watcher = self._watcher
        if watcher is None or connection.engine is self._engine or threading.get_ident() != self._thread:
            return
        url = connection.engine.url.set(query={}).render_as_string(hide_password=True)
        watcher.meddled(f"uses a connection of its own, to {url}")

    def _on_commit(self, connection: sa.Connection) -> None:
        if self._watcher is not None:
            if not _in_autocommit_block():
                self._watcher.meddled("commits by itself")
            self._watcher.before_early_commit()

    def _on_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self._watcher is None:
            return
        if self._raw.autocommit != self._in_autocommit:
            self._in_autocommit = self._raw.autocommit
            self._watcher.autocommit(self._in_autocommit)
        if not self._in_autocommit and _MAY_COMMIT.search(statement):
            self._watcher.before_early_commit()

    def _after_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self._watcher is None or self._raw.autocommit:
            return
        # A function's body may have lines that begin with END: what counts is that the transaction is over.
        ended = self._raw.info.transaction_status == _IDLE
        if ended or (_MAY_COMMIT.search(statement) and ends_transaction(statement)):
            self._watcher.meddled("commits by itself")


def _in_autocommit_block() -> bool:
    """Whether it is Alembic that commits, for an ``autocommit_block``."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _AUTOCOMMIT_BLOCK:
            return True
        frame = frame.f_back
    return False
