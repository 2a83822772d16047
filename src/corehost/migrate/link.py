"""The pass's connection: opened to look, made fit to lock when there is something to do, let go to wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from corehost.core.namespace import Namespace
from corehost.core.settings import Settings
from corehost.migrate.stop import Stop
from corehost.migrate.vigil import Vigil
from corehost.postgres.connect import Connection, Connector, writing_backend
from corehost.postgres.locks import LockSet, announce, holders
from corehost.postgres.pooler import refuse_transaction_pooler
from corehost.postgres.session import configure, connection_settings

if TYPE_CHECKING:
    from corehost.alembic.bridge import Bridge

_REFUSALS: Final = 8
"""So many refusals in a row by shared holders alone, and the need is announced."""


class Link:
    """At most one connection at a time; closed, it holds nothing."""

    def __init__(self, connector: Connector, settings: Settings, stop: Stop):
        self._connector = connector
        self._settings = settings
        self._stop = stop
        self._refused: Counter[int] = Counter()
        self.connection: Connection | None = None
        """The connection, where there is one."""
        self.was_open = False
        """Whether there has been one, since this was last set to False."""
        self.announced: Namespace | None = None
        """The namespace that this session has told to need for itself."""
        self._configured = False
        self._bridge: Any = None
        self._vigil: Vigil | None = None

    @property
    def backend(self) -> int | None:
        """The server's process of this connection, once it has been made fit to lock."""
        return None if self._vigil is None else self._vigil.backend

    def open(self) -> Connection:
        """The connection, a new one where there is none. Raises as Connector.open does."""
        if self.connection is None:
            self.connection = self._connector.open(migrating=True)
            self.was_open = True
            self._stop.use(self.connection)
            self._vigil = Vigil(self._connector, self.connection, self._settings)
            self._vigil.begin()
        return self.connection

    def try_locks(self, own: Namespace, shared: Iterable[Namespace]) -> LockSet | None:
        """Take a namespace's lock and those it depends on, all or none; None where one is not to be had.

        Raises PoolerRefused behind a transaction pooler, and DatabaseUnavailable where the database is
        read-only, before anything is locked.
        """
        connection = self.open()
        if not self._configured:
            refuse_transaction_pooler(connection, lambda: self._connector.open(migrating=True))
            backend = writing_backend(connection)
            if self._vigil is not None:
                self._vigil.backend = backend
            configure(connection, connection_settings(self._settings))
            self._configured = True
        locks = LockSet(connection, own, shared)
        if locks.try_take(politely=self.announced is None):
            self._refused.clear()
            return locks
        self._count_refusal(connection, own)
        return None

    def release(self, locks: LockSet) -> None:
        """Give locks back; where one is gone already, the connection goes with whatever it still holds."""
        held = False
        if self.connection is not None and not self.connection.closed:
            with suppress(psycopg.Error):
                held = locks.release()
        if not held or self.announced is not None:
            self.close()

    def bridge(self) -> Bridge:
        """SQLAlchemy over this connection; loads Alembic when first asked for."""
        if self._bridge is None:
            from corehost.alembic.bridge import Bridge

            self._bridge = Bridge(self.open())
        bridge: Bridge = self._bridge
        return bridge

    def close(self) -> None:
        """Let the connection go, and every lock with it."""
        self._stop.use(None)
        if self._vigil is not None:
            self._vigil.end()
            self._vigil = None
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
        self.connection, self._bridge = None, None
        self._configured, self.announced = False, None

    def rest(self, wanted: Iterable[Namespace]) -> None:
        """Let the connection go for a while, unless it stands for an announcement that is still meant.

        One that is not meant any more would hold others off, and hide the next need of this instance.
        """
        if self.announced not in set(wanted):
            self.close()

    def _count_refusal(self, connection: Connection, own: Namespace) -> None:
        """After some refusals announce that the namespace is needed exclusively.

        Only where nobody has it exclusively: shared holders that come and go could keep it away for ever.
        """
        self._refused[own.lock_key] += 1
        if self._refused[own.lock_key] < _REFUSALS or self.announced is not None:
            return
        if not holders(connection, [own.lock_key]) and announce(connection, own):
            self.announced = own
