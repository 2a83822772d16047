"""Ends a pass before its time: asked from another thread, or from a signal handler."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

import psycopg

from corehost.core.errors import MigrationError
from corehost.postgres.connect import Connection

_TICK: Final = 0.05
"""Seconds between two looks at whether the end was asked for."""
_AGAIN: Final = 1.0
"""Seconds after which a step that has gone on with another statement is cut again."""


class Stop:
    """Whether, why and how soon a pass is to end.

    The step that runs may finish within the grace; then its statement is cancelled, and what it has not
    committed is rolled back. A pass that waits ends at once. Asking only assigns: a signal handler that
    took a lock could wait for the very thread that it interrupts.
    """

    def __init__(self) -> None:
        self._error: MigrationError | None = None
        self._cut_at = 0.0
        self._late: tuple[float, MigrationError] | None = None
        self._connection: Connection | None = None
        self._over = threading.Event()

    def ask(self, error: MigrationError, *, grace: float) -> None:
        """Ask for the end, which then is that error; ``grace`` in seconds. The first asker's counts."""
        if self._error is None:
            self._cut_at = time.monotonic() + grace
            self._error = error

    def ask_after(self, seconds: float, error: MigrationError) -> None:
        """Ask for the end, without grace, when so many seconds have passed."""
        self._late = (time.monotonic() + seconds, error)

    def use(self, connection: Connection | None) -> None:
        """Tell on which connection statements run."""
        self._connection = connection

    def watch(self) -> None:
        """Begin to cut what goes on for too long; until :meth:`close`."""
        threading.Thread(target=self._watch, name="corehost-stop", daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the end is asked for."""
        until = time.monotonic() + seconds
        while self._error is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))

    def check(self) -> None:
        """Raise the asker's error where the end was asked for."""
        if self._late is not None and time.monotonic() >= self._late[0]:
            self.ask(self._late[1], grace=0)
        if self._error is not None:
            raise self._error

    def reason(self, error: BaseException) -> MigrationError | None:
        """The asker's error, where this is it, or is nothing but its consequence."""
        return (
            self._error if error is self._error or isinstance(error, psycopg.errors.QueryCanceled) else None
        )

    def close(self) -> None:
        """The pass has ended: nothing is left to be cut."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(_TICK):
            with suppress(MigrationError):
                self.check()
                continue
            connection = self._connection
            if connection is not None and time.monotonic() >= self._cut_at:
                self._cut_at = time.monotonic() + _AGAIN
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)
