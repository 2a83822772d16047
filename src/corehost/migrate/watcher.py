"""Watches over the transaction of a step that runs."""

from __future__ import annotations

import logging
import time

from corehost.core.plan import Step
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import StepRecord
from corehost.postgres.session import StepSession

_log = logging.getLogger("corehost")


class StepWatcher:
    """Writes 'started' before anything of a step is committed ahead of its end."""

    def __init__(
        self,
        step: Step,
        connection: Connection,
        session: StepSession,
        record: StepRecord,
        began: float,
        *,
        enabled: bool,
    ):
        self._step = step
        self._told: set[str] = set()
        self._connection = connection
        self._session = session
        self._record = record
        self._began = began
        self._enabled = enabled  # the ledger's own first revision has no ledger to write to
        self.finished = False

    def before_early_commit(self) -> None:
        if self._enabled and not self.finished:
            self._record.start(self._connection, duration_ms=(time.monotonic() - self._began) * 1000)

    def autocommit(self, active: bool) -> None:
        # CREATE INDEX CONCURRENTLY waits for others by design; cut short it leaves an INVALID index.
        if active:
            self._session.without_lock_timeout()
        else:
            self._session.restore_lock_timeout()

    def meddled(self, what: str) -> None:
        if not self.finished and what not in self._told:
            self._told.add(what)
            _log.warning(
                "%s %s: what it does so is neither undone with the step nor guarded by the lock (%s)",
                self._step.node,
                what,
                self._step.revision.path,
                extra=self._step.extra("step.meddled"),
            )
