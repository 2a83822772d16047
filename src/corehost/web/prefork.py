"""One host in several processes that were forked from one: they take turns, and know of each other."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from corehost.core.errors import PassStopped
from corehost.core.results import MigrationReport, Readiness
from corehost.web.ports import StartableHost

_LOOK: Final = 0.05
"""How often a process looks whether its turn has come, in seconds."""


class PreforkedHost:
    """A host that is started by one process after the other of those that were forked from its maker.

    So the workers of one server make one pass: the first runs it, the others find nothing pending.
    The kernel gives the turn back when its process dies. Where nothing was forked it changes nothing.
    """

    def __init__(self, host: StartableHost):
        self.settings = host.settings
        self.measures = host.measures
        self._host = host
        self._shared = mmap.mmap(-1, 1)
        self._turn = _nameless_file()
        self._interrupted = threading.Event()
        self._waiting: Readiness | None = None

    @property
    def ready(self) -> bool:
        """Whether this process may serve."""
        return self._waiting is None and self._host.ready

    @property
    def started_before(self) -> bool:
        """Whether this process or another one has been up: the schema is there, a start takes a look."""
        return self._shared[0] != 0

    def readiness(self) -> Readiness:
        """The host's readiness in this process, from memory."""
        return self._waiting or self._host.readiness()

    def start(self) -> MigrationReport:
        """Start the host when no other process is at it. Raises CorehostError."""
        with self._its_turn():
            report = self._host.start()
            self._shared[0] = 1
            return report

    def interrupt(self) -> bool:
        """Ask a start that runs, or waits for its turn, to end soon; False where none does."""
        self._interrupted.set()
        return self._host.interrupt() or self._waiting is not None

    def stop(self) -> None:
        """Run the shut-down hooks."""
        self._host.stop()

    @contextlib.contextmanager
    def _its_turn(self) -> Iterator[None]:
        self._interrupted.clear()
        try:
            while not _locked(self._turn):
                self._waiting = self._waiting or Readiness(
                    ready=False,
                    state="waiting",
                    message="waiting for another worker of this server, which runs the pass",
                    since=datetime.now(UTC),
                )
                if self._interrupted.wait(_LOOK):
                    raise PassStopped("the start was asked to end")
        finally:
            self._waiting = None
        try:
            yield
        finally:
            fcntl.lockf(self._turn, fcntl.LOCK_UN)


def _locked(file: int) -> bool:
    """Whether the lock could be had: a record lock, since those belong to one process alone."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        return False
    return True


def _nameless_file() -> int:
    """The descriptor of a file that only this process and those forked from it know."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("corehost")  # needs no folder that can be written
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
