"""Notices that a statement waits for an answer that will never come."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Final

import psycopg

from corehost.core.settings import Settings
from corehost.postgres import sql
from corehost.postgres.connect import Connection, Connector, execute, sever

_ACTIVE: Final = psycopg.pq.TransactionStatus.ACTIVE
_TICK: Final = 0.25
_LONGEST: Final = 10.0
"""Seconds between two questions to the server about a statement that takes long."""


class Vigil:
    """Watches one connection from a thread of its own, and cuts it where nobody is at its other end.

    A cut network is noticed by keepalives; a proxy or load balancer that has lost its own way to the
    server goes on answering them. So the server is asked whether the session of a statement that takes
    long is still there and still in it: if so it may take as long as it likes. Where the server cannot be
    reached either, or the session is not known yet, ``wait_timeout`` is the bound.
    """

    def __init__(self, connector: Connector, connection: Connection, settings: Settings):
        self._connector = connector
        self._connection = connection
        self._every = min(settings.holder_idle_timeout.total_seconds() or _LONGEST, _LONGEST)
        self._patience = settings.wait_timeout.total_seconds()
        self._over = threading.Event()
        self.backend: int | None = None
        """The session's process in the server, once it is known; a pooler shows another one."""

    def begin(self) -> None:
        """Begin to watch, until :meth:`end`."""
        threading.Thread(target=self._watch, name="corehost-vigil", daemon=True).start()

    def end(self) -> None:
        """The connection is closed."""
        self._over.set()

    def _watch(self) -> None:
        began = seen = asked = time.monotonic()
        mark: str | None = None
        while not self._over.wait(_TICK):
            now = time.monotonic()
            if not self._waits():
                began = seen = asked = now
                mark = None
                continue
            if self.backend is None:
                if now - began >= max(self._patience, self._every):
                    break
                continue
            if now - asked < self._every:
                continue
            try:
                is_there, idle_since = self._ask(self.backend)
            except Exception as error:  # of a connect callable of the host, too
                # Any other failure is an answer: the server is there, or its end is told to our session too.
                if not isinstance(error.__cause__, psycopg.errors.ConnectionTimeout):
                    seen = time.monotonic()
                elif time.monotonic() - seen >= self._patience:
                    break
            else:
                seen = time.monotonic()
                if not is_there or (idle_since is not None and idle_since == mark):
                    break
                mark = idle_since  # idle once: the statement may still be on its way
            asked = time.monotonic()
        if not self._over.is_set() and self._waits():
            sever(self._connection)

    def _waits(self) -> bool:
        return self._connection.info.transaction_status == _ACTIVE

    def _ask(self, backend: int) -> tuple[bool, str | None]:
        """Whether the session is there, and since when it waits for a statement."""
        with closing(self._connector.open(migrating=True)) as connection:
            row = execute(connection, sql.IDLE_SINCE, (backend,)).fetchone()
        return row is not None, row[0] if row is not None else None
