"""Ends a pass before its time: asked from another thread, or from a signal handler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg

from corehost.core.errors import MigrationError
from corehost.postgres.connect import Connection


class Stop:
    """Whether, why and how soon a pass is to end.

    The step that runs may finish within the grace; then its statement is cancelled, and what it has not
    committed is rolled back. A pass that waits ends at once. Thread-safe.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._over = threading.Event()
        self._error: MigrationError | None = None
        self._connection: Connection | None = None
        self._timers: list[threading.Timer] = []

    def ask(self, error: MigrationError, *, grace: float) -> None:
        """Ask for the end, which then is that error; ``grace`` in seconds. The first asker's counts."""
        if self._error is None:
            self._error = error
            self._asked.set()
            self._after(grace, self._cut)

    def ask_after(self, seconds: float, error: MigrationError) -> None:
        """Ask for the end, without grace, when so many seconds have passed."""
        self._after(seconds, lambda: self.ask(error, grace=0))

    def use(self, connection: Connection | None) -> None:
        """Tell on which connection statements run."""
        self._connection = connection

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until the end is asked for."""
        self._asked.wait(seconds)

    def check(self) -> None:
        """Raise the asker's error where the end was asked for."""
        if self._error is not None:
            raise self._error

    def reason(self, error: BaseException) -> MigrationError | None:
        """The asker's error, where another one is nothing but its consequence."""
        return self._error if isinstance(error, psycopg.errors.QueryCanceled) else None

    def close(self) -> None:
        """The pass has ended: nothing is left to be cut."""
        self._over.set()
        for timer in self._timers:
            timer.cancel()

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, call)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _cut(self) -> None:
        connection = self._connection
        if connection is not None and not self._over.is_set():
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)
