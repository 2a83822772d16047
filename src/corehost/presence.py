"""Shows others that this instance serves, for as long as it does."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

import psycopg

from corehost.core.errors import (
    CorehostError,
    IncompatibleDatabase,
    PoolerRefused,
    PresenceImpossible,
    WaitTimedOut,
)
from corehost.core.jitter import between
from corehost.core.release import release_of
from corehost.installation import Installation
from corehost.migrate.stop import Stop
from corehost.postgres.connect import Connection, Connector, is_refusal, translated_errors
from corehost.postgres.ledger import without_secrets
from corehost.postgres.locks import holders
from corehost.postgres.pooler import refuse_transaction_pooler
from corehost.postgres.presence import (
    is_there,
    note_seen,
    note_started,
    present_digests,
    take_presence,
    watch_closely,
)
from corehost.readiness import is_current, look_around

_log = logging.getLogger("corehost")

_ENDED: Final = "the session that shows this instance to others has ended"
_TICK: Final = 0.5
"""Seconds between two looks at whether the end was asked for."""
_FIRST, _LONGEST = 0.05, 1.0
"""Seconds until a presence that was lost is taken again; the longest bounds how long somebody who is back
on the network serves unjudged."""
_UNSEEN_AFTER: Final = 3.0
"""Seconds without a presence after which an instance whose database answers must not serve."""
_NOTED: Final = 10.0
"""Seconds for which it is not written down again that an older instance is still here."""


class Lost(Protocol):
    """Is told why others cannot see this instance; ``unseen`` where it must not go on serving so."""

    def __call__(self, message: str, *, unseen: bool) -> object: ...


class Presence:
    """One instance's presence: a shared advisory lock, on a connection of its own.

    The lock goes with the process, however that ends. It is taken before the state is judged for the last
    time: whoever is about to run a contract step says so first and lists the presences then, so that one
    of the two sees the other. Where the session ends under a living instance the presence is taken again,
    and the state judged again.
    """

    def __init__(self, installation: Installation, connector: Connector):
        self._installation = installation
        self._connector = connector
        self._release = release_of(installation.graph)
        self._connection: Connection | None = None
        self._asking = threading.Lock()
        self._over = threading.Event()
        self._noted = 0.0
        self._warned = False
        self.is_lost = False
        """Whether the session has ended, and the presence is being taken again."""

    @property
    def is_held(self) -> bool:
        """Whether there is one; not on a hot standby, behind a transaction pooler, or switched off."""
        return self._connection is not None

    def take(self, stop: Stop, waiting: Callable[[str], object] = lambda _: None) -> bool:
        """Take it and judge the state; False where something is pending again, and nothing is held then.

        Waits, presence held, while a contract step is run or about to be: that sees it and holds back, or
        was there before. ``waiting`` is told so. Raises IncompatibleDatabase where this code must not serve,
        WaitTimedOut, DatabaseUnavailable, and the error that ``stop`` was asked for.
        """
        installation, graph = self._installation, self._installation.graph
        with translated_errors():
            connection = self._connector.open(migrating=True)
            kept = False
            try:
                try:
                    refuse_transaction_pooler(connection, lambda: self._connector.open(migrating=True))
                    take_presence(connection, self._release)
                except (PoolerRefused, PresenceImpossible) as error:
                    self._warn(error)
                    note_started(connection, graph, self._release, seen=False)
                    return self._judged(connection)
                watch_closely(connection)
                self._let_contract_steps_end(connection, stop, waiting)
                if not self._judged(connection):
                    return False
                note_started(connection, graph, self._release, seen=True)
                with self._asking:  # the end may come on another thread
                    kept = not self._over.is_set()
                    self._connection = connection if kept else None
            finally:
                if not kept:
                    connection.close()
        _log.debug("present as release %s of %d branches", self._release.digest, len(installation.schemas))
        return True

    def note_that_there_is_none(self) -> None:
        """Where presences are switched off: tell newer code that it cannot see this one, if possible."""
        with suppress(CorehostError, psycopg.Error), self._connector.open(migrating=True) as connection:
            note_started(connection, self._installation.graph, self._release, seen=False)

    def watch(
        self,
        *,
        lost: Lost,
        found: Callable[[], object],
        refused: Callable[[CorehostError], object],
        catch_up: Callable[[], object],
    ) -> None:
        """Notice on a thread of its own that the session has ended, and take the presence again.

        ``lost`` is told first, and again while that fails; then ``found``, or ``refused`` where this code
        must not serve any more. ``catch_up`` is called where something is pending again, as after a failover
        to a standby that was behind.
        """
        if self._connection is not None:
            threading.Thread(
                target=self._watch,
                args=(lost, found, refused, catch_up),
                name="corehost-presence",
                daemon=True,
            ).start()

    def present(self, older: Collection[str]) -> Collection[str]:
        """Of which of these releases an instance is present; of all where that cannot be asked now."""
        with self._asking, suppress(psycopg.Error):
            if self._connection is not None:
                here = present_digests(self._connection).intersection(older)
                if here and time.monotonic() - self._noted > _NOTED:
                    note_seen(self._connection, here)
                    self._noted = time.monotonic()
                return here
        return older

    def keep_across_exec(self) -> None:
        """Let the presence live as long as the program that takes this process's place."""
        if self._connection is not None:
            os.set_inheritable(self._connection.fileno(), True)

    def end(self) -> None:
        """Give it back, and write down that it was there until now: from here ``contract_delay`` counts."""
        self._over.set()
        with self._asking:
            connection, self._connection = self._connection, None
            if connection is not None:
                note_seen(connection, [self._release.digest])
                with suppress(psycopg.Error):
                    connection.close()

    def _let_contract_steps_end(
        self, connection: Connection, stop: Stop, waiting: Callable[[str], object]
    ) -> None:
        trees = self._installation.graph.trees.values()
        schemas = {tree.branch.namespace.contract_key: tree.branch.namespace.schema for tree in trees}
        patience = self._installation.settings.wait_timeout.total_seconds()
        began = time.monotonic()
        while found := holders(connection, sorted(schemas)):
            stop.check()
            key, holder = min(found.items())
            at_work = f"namespace {schemas[key]!r} by pid {holder.pid} ({holder.application_name})"
            if time.monotonic() - began >= patience:
                raise WaitTimedOut(
                    f"a contract step has been run in {at_work} for longer than {patience:g} s"
                )
            waiting(f"waiting for a contract step, which is run in {at_work}")
            stop.sleep(between(0.1, 0.3))

    def _warn(self, error: CorehostError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "this instance cannot be seen by others: %s; contract steps are left to 'corehost migrate"
                " --contract'",
                error.message,
                extra={"event": "presence.impossible"},
            )

    def _judged(self, connection: Connection) -> bool:
        graph, policy = self._installation.graph, self._installation.policy
        if is_current(connection, graph, policy=policy):
            return True
        seen = look_around(connection, graph, policy=policy)
        if unservable := seen.unservable():
            raise unservable
        return seen.ready

    def _watch(
        self,
        lost: Lost,
        found: Callable[[], object],
        refused: Callable[[CorehostError], object],
        catch_up: Callable[[], object],
    ) -> None:
        while not self._over.is_set():
            if self._still_there():
                continue
            if self._over.is_set():
                return
            self.is_lost = True
            lost(_ENDED, unseen=False)
            try:
                self._take_again(lost, catch_up)
            except IncompatibleDatabase as error:
                _log.error(
                    "this instance must not serve any more: %s", error, extra={"event": "presence.refused"}
                )
                refused(error)
                return
            self.is_lost = False
            if not self._over.is_set():
                found()

    def _still_there(self) -> bool:
        """Wait a moment for the session to say something, which it does when it ends."""
        connection = self._connection
        if connection is None:
            return False
        with suppress(psycopg.Error, OSError, ValueError):  # closed meanwhile
            poll = select.poll()
            poll.register(connection.fileno(), select.POLLIN)
            if not poll.poll(_TICK * 1000):
                return True
            with self._asking:
                return is_there(connection)
        return False

    def _take_again(self, lost: Lost, catch_up: Callable[[], object]) -> None:
        with self._asking:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        pause, stop, began = _FIRST, _Ended(self._over), time.monotonic()
        while not self._over.wait(pause * between(0.5, 1.0)):
            pause = min(pause * 2, _LONGEST)
            try:
                # It has come back while what it may need is taken away: it serves when that is judged.
                fits = self.take(stop, lambda said: lost(f"{_ENDED}; {said}", unseen=True))
                if self._connection is not None:
                    return
                problem = "none can be held here any more" if fits else "something is pending again"
                answers = not fits  # where none can be held, take has told newer code so
                if not fits:
                    lost(f"{_ENDED}; {problem}", unseen=True)
                    catch_up()
            except IncompatibleDatabase:
                raise
            except Exception as error:  # of a connect callable of the host, too
                _log.debug("the presence cannot be taken again yet: %s", error)
                problem = without_secrets(str(error))
                answers = is_refusal(error) or self._connector.answers()
            if time.monotonic() - began >= _UNSEEN_AFTER and not self._over.is_set():
                lost(f"{_ENDED}, and another cannot be had: {problem}", unseen=answers)


class _Ended(Stop):
    """A stop that is asked for by the presence's own end."""

    def __init__(self, over: threading.Event):
        super().__init__()
        self._end = over

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the end."""
        self._end.wait(seconds)

    def check(self) -> None:
        """Raise where it has come."""
        if self._end.is_set():
            raise CorehostError("the presence was given back")
