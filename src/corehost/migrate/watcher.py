"""Watches over the transaction of a step that runs."""

from __future__ import annotations

import logging

from corehost.migrate.running import RunningStep
from corehost.postgres.session import StepSession

_log = logging.getLogger("corehost")


class StepWatcher:
    """Writes 'started' before anything of a step is committed ahead of its end."""

    def __init__(
        self,
        running: RunningStep,
        session: StepSession,
        *,
        enabled: bool,
    ):
        self._running = running
        self._told: set[str] = set()
        self._session = session
        self._enabled = enabled  # the ledger's own first revision has no ledger to write to
        self.finished = False

    def before_early_commit(self) -> None:
        if self._enabled and not self.finished:
            running = self._running
            running.record.start(running.connection, duration_ms=running.elapsed_ms())

    def autocommit(self, active: bool) -> None:
        # CREATE INDEX CONCURRENTLY waits for others by design; cut short it leaves an INVALID index.
        if active:
            self._session.without_lock_timeout()
        else:
            self._session.restore_lock_timeout()

    def meddled(self, what: str) -> None:
        if not self.finished and what not in self._told:
            self._told.add(what)
            step = self._running.step
            _log.warning(
                "%s %s: what it does so is neither undone with the step nor guarded by the lock (%s)",
                step.node,
                what,
                step.revision.path,
                extra=step.extra("step.meddled"),
            )
