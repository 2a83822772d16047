"""Notices that the database of an instance that serves is away, and that it is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from corehost.core.errors import CorehostError
from corehost.core.jitter import between
from corehost.postgres.connect import Connector, ping
from corehost.postgres.ledger import without_secrets

_log = logging.getLogger("corehost")

_EVERY: Final = 10.0
"""Seconds between two looks, cut by up to a half at random: a fleet must not look in step."""
_AGAIN: Final = 1.0
"""Seconds until the next look where one has failed, doubled up to ``_EVERY``."""
_FAILURES: Final = 2
"""So many looks must fail in a row: one connection that is refused is no loss of the database."""


class DatabaseWatch:
    """Looks now and then whether the database answers, on a thread of its own.

    It holds no connection in between: a connection is dearer than a connect every few seconds.
    """

    def __init__(self, connector: Connector, *, lost: Callable[[str], None], found: Callable[[], None]):
        self._connector = connector
        self._lost = lost
        self._found = found
        self._over = threading.Event()

    def begin(self) -> None:
        """Begin to look, until :meth:`end`."""
        threading.Thread(target=self._watch, name="corehost-watch", daemon=True).start()

    def end(self) -> None:
        """Look no more; a look that is under way tells nothing."""
        self._over.set()

    def _watch(self) -> None:
        failures, pause = 0, _EVERY
        while not self._over.wait(pause * between(0.5, 1.0)):
            problem = self._look()
            if self._over.is_set():
                return
            if problem is None:
                if failures >= _FAILURES:
                    _log.info("the database answers again", extra={"event": "database.found"})
                    self._found()
                failures, pause = 0, _EVERY
                continue
            failures += 1
            pause = min(_AGAIN * 2 ** (failures - 1), _EVERY)
            if failures == _FAILURES:
                _log.warning("the host is degraded: %s", problem, extra={"event": "database.lost"})
            if failures >= _FAILURES:
                self._lost(problem)

    def _look(self) -> str | None:
        """Why the database does not answer, or None where it does."""
        try:
            with self._connector.open() as connection:
                ping(connection)
        except CorehostError as error:
            return without_secrets(error.message)
        except Exception as error:  # of a connect callable of the host
            return without_secrets(f"{type(error).__name__}: {error}")
        return None
