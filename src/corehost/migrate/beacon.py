"""Tells other instances how this one stands: a row for eyes only, on which no decision of a pass leans."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Final

import psycopg

from corehost.core.graph import Graph
from corehost.core.plan import Step
from corehost.core.results import StepResult
from corehost.core.rows import rows
from corehost.migrate.observer import Observer, Tally
from corehost.postgres.connect import Connection, Connector
from corehost.postgres.instances import read_instances, remove_instance, this_process, write_instance
from corehost.postgres.ledger import without_secrets

_log = logging.getLogger("corehost")

_TICK: Final = 1.0
"""Seconds that a step, or a wait, may take before anybody is told; and between two looks at it."""
_OFTEN: Final = 2.0
"""Seconds between two times that the runner of a step says so."""
_SELDOM: Final = 5.0
"""Seconds between two times that one who waits says so: many may wait for one."""
_TRIES: Final = 3
"""So many failures in a row, and nothing more is said in this pass."""


class Beacon(Tally):
    """Says that a pass waits, or runs a step that takes long, and hears how far others are.

    Who waits writes on the connection of its look. Who runs a step has a thread for it, with a connection
    of its own once a step takes long: its transaction would hide what it writes. A pass that is quick
    writes nothing. What goes wrong is logged for debugging and changes nothing.
    """

    def __init__(
        self,
        connector: Connector,
        observer: Observer,
        *,
        graph: Graph,
        backend: Callable[[], int | None] = lambda: None,
    ):
        super().__init__()
        self._connector = connector
        self._observer = observer
        self._backend = backend
        self._branches = {name: tree.branch.origin.version for name, tree in graph.trees.items()}
        self._id = uuid.uuid4()
        self._step: tuple[Step, float] | None = None
        self._waiting_since: float | None = None
        self._message: str | None = None
        self._written = self._heard = 0.0
        self._is_written = False
        self._failures = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def step_started(self, step: Step) -> None:
        """From now on this instance migrates."""
        self._waiting_since = None
        self._step = (step, time.monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="corehost-beacon", daemon=True)
            self._thread.start()

    def step_finished(self, step: Step, result: StepResult) -> None:
        """Count it."""
        super().step_finished(step, result)
        self._step = None

    def waiting(self, message: str) -> None:
        """From now on this instance waits."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        self._message = message

    def on_look(self, connection: Connection | None, holders: Collection[int]) -> None:
        """Say on a look's connection that this instance waits, and hear how far a holder is.

        ``holders`` are the server's processes that hold what is waited for.
        """
        now, since = time.monotonic(), self._waiting_since
        if connection is None or since is None or now - since < _TICK or self._failures >= _TRIES:
            return
        if now - self._written >= _SELDOM:
            self._written = now
            self._try(lambda: self._write(connection))
        if now - self._heard >= _TICK:
            self._heard = now
            found = self._try(lambda: read_instances(connection)) or ()
            self._observer.held_by(next((one for one in found if one.backend_pid in holders), None))

    def end(self, connection: Connection | None) -> None:
        """The pass is over: take back what was said, on this connection or on another."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(2 * _TICK)  # it takes its own back; a server that hangs is not waited for
        elif self._is_written and connection is not None:
            self._try(lambda: self._remove(connection))
        elif self._is_written:
            # Not on this thread: whoever was asked to end may not wait for a server that does not answer.
            last = threading.Thread(target=self._try, args=(lambda: self._remove(None),), daemon=True)
            last.start()
            last.join(_TICK)

    def _watch(self) -> None:
        connection: Connection | None = None
        while not self._over.wait(_TICK) and self._failures < _TRIES:
            current, now = self._step, time.monotonic()
            if current is None or (now - current[1] < _TICK and not self._is_written):
                continue
            if (told := rows()) is not None:
                self._observer.progressed(current[0], told)
            if now - self._written < _OFTEN:
                continue
            self._written = now
            connection = self._on(connection, self._write)
        if self._is_written:
            connection = self._on(connection, self._remove)
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _on(self, connection: Connection | None, do: Callable[[Connection], Any]) -> Connection | None:
        """Do it on the thread's own connection, a new one where there is none that works."""
        opened: Connection | None = connection

        def act() -> None:
            nonlocal opened
            if opened is None or opened.closed:
                opened = self._connector.open(migrating=True)
            do(opened)

        self._try(act)
        return opened

    def _write(self, connection: Connection) -> None:
        step, since = self._step or (None, self._waiting_since)
        write_instance(
            connection,
            this_process(
                id=self._id,
                state="waiting" if step is None else "migrating",
                branch=None if step is None else step.node.branch,
                revision=None if step is None else step.node.revision,
                step=self.done + (step is not None),
                steps=self.steps,
                rows=None if step is None else rows(),
                message=without_secrets(self._message) if step is None and self._message else None,
                backend_pid=self._backend(),
                branches=self._branches,
                seconds=0.0 if since is None else time.monotonic() - since,
            ),
        )
        self._is_written = True

    def _remove(self, connection: Connection | None) -> None:
        if connection is not None and not connection.closed:
            remove_instance(connection, self._id)
        else:
            with self._connector.open(migrating=True) as another:
                remove_instance(another, self._id)
        self._is_written = False

    def _try(self, do: Callable[[], Any]) -> Any:
        try:
            found = do()
        except psycopg.errors.UndefinedTable:
            return None  # the ledger is only being made, perhaps by this very pass
        except Exception as error:  # of a connect callable of the host, too
            self._failures += 1
            _log.debug("cannot tell others how this instance stands: %s", without_secrets(str(error)))
            return None
        self._failures = 0
        return found
