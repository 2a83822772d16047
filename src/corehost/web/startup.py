"""Brings a host up on a thread of its own, and keeps trying; one piece for every gate."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from corehost.core.errors import CorehostError
from corehost.core.jitter import between
from corehost.core.results import Readiness
from corehost.web.ending import end_process
from corehost.web.ports import StartableHost

log = logging.getLogger("corehost")

HOPELESS: Final = frozenset({2, 5})
"""Exit codes of errors that do not pass by trying again."""
GRACE: Final = 20.0
"""How long the end waits for a start that is at work, in seconds; its step ends by the host's own grace."""


def delays(*, first: float = 1.0, limit: float = 30.0) -> Iterator[float]:
    """Seconds to wait between tries: doubling up to a limit, each cut by up to a half at random."""
    delay = first
    while True:
        yield delay * between(0.5, 1.0)
        delay = min(delay * 2, limit)


class Startup:
    """One host's way up, and what a gate needs to know of it.

    Nothing runs before :meth:`begin`, so an instance may be made before a fork.
    """

    def __init__(self, host: StartableHost):
        self._host = host
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._up = False
        self._failure: Readiness | None = None
        self._opened = False
        self._serving = False

    @property
    def serving(self) -> bool:
        """Whether requests may pass: from the moment that all was up and the host ready, for good.

        What becomes of the host afterwards is for the readiness probe to say; the load balancer, not
        the gate, then takes the instance out.
        """
        if not self._serving and self._opened and self._host.ready:
            self._serving = True
        return self._serving

    def readiness(self) -> Readiness:
        """The host's readiness, not ready before the gate is open; from memory."""
        failure = self._failure
        if failure is not None:
            return failure
        readiness = self._host.readiness()
        if not readiness.ready and self._is_anothers:
            # no thread comes along when a process is forked, so nothing here would ever change
            self._failure = _failed("the start was begun before this process was forked; begin it in here")
            log.error("%s", self._failure.message, extra={"event": "start.failed"})
            return self._failure
        if readiness.ready and not self._opened:
            return replace(readiness, ready=False, state="starting", message="the application is starting")
        return readiness

    @property
    def _is_anothers(self) -> bool:
        """Whether it was begun in another process, from which this one was forked."""
        return self._process not in (0, os.getpid())

    def begin(self, then: Callable[[], None]) -> None:
        """Start the host on a daemon thread, ``then`` call there; only the first call does anything."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(
                    target=self._run, args=(then,), name="corehost-startup", daemon=True
                )
                self._process = os.getpid()
                self._thread.start()

    def begin_unattended(self) -> None:
        """:meth:`begin` where no server says when to stop: open when up, end with the interpreter."""
        if self._thread is None:
            atexit.register(self.end)
            self.begin(self.open)

    def open(self) -> None:
        """Let requests pass, once the host is ready."""
        self._opened = True

    def fail(self, message: str) -> None:
        """Stay closed, for a reason that is not the host's; with ``on_failure = "exit"`` end the process."""
        self._failure = _failed(message)
        if self._host.settings.on_failure == "exit":
            _end_process(1)

    def end(self) -> None:
        """Try no more and stop the host; blocks for a step that runs, and for the shut-down hooks.

        A host that waits for others is not waited for: it holds nothing, and if the process lives on
        its own thread stops it. In a process that was forked after the beginning it does nothing: what
        runs is its parent's, sockets that both have included.
        """
        atexit.unregister(self.end)
        if self._is_anothers:
            return
        with self._lock:
            self._stopping.set()
            thread = None if self._up else self._thread
        if thread is not None:
            self._host.interrupt()
            deadline = time.monotonic() + GRACE
            while (
                thread.is_alive()
                and time.monotonic() < deadline
                and self._host.readiness().state != "waiting"
            ):
                thread.join(0.1)
                self._host.interrupt()  # what is not at work yet heard nothing of it before
            if thread.is_alive():
                return  # a stop beside a running start would miss what that starts afterwards
        self._host.stop()

    def _run(self, then: Callable[[], None]) -> None:
        for delay in delays():
            try:
                self._host.start()
            except CorehostError as error:
                if self._stopping.is_set():
                    return
                self._failure = self._failure_of(error)
                if self._host.settings.on_failure == "exit":
                    log.error("the host did not start: %s", error, extra={"event": "start.failed"})
                    _end_process(error.exit_code)
                    return
                if error.exit_code in HOPELESS:
                    log.error("the host cannot start: %s", error, extra={"event": "start.failed"})
                    return
                log.warning(
                    "the host did not start, next try in %.1f s: %s",
                    delay,
                    error,
                    extra={"event": "start.retried"},
                )
            except (
                Exception,
                SystemExit,
            ) as error:  # left alone it would end the thread, and be told to nobody
                self._failure = self._failure_of(error)
                if self._host.settings.on_failure == "exit":
                    log.exception("the host did not start", extra={"event": "start.failed"})
                    _end_process(1)
                    return
                log.exception(
                    "the host did not start, next try in %.1f s", delay, extra={"event": "start.retried"}
                )
            else:
                break
            if self._stopping.wait(delay):
                return
            self._failure = None
        with self._lock:
            self._up = not self._stopping.is_set()
        if self._up:
            then()
        else:
            self._host.stop()  # the end came while the host was starting, and may not have waited for it

    def _failure_of(self, error: BaseException) -> Readiness:
        readiness = self._host.readiness()
        if readiness.state == "failed":
            return readiness
        if not isinstance(error, CorehostError):
            return _failed("the start failed for an unforeseen reason; the log has it")
        where = error.where
        return _failed(error.message.partition("\n")[0], branch=where.branch, revision=where.revision)


def _end_process(code: int) -> None:
    """On a thread of its own: the server's clean-up, which that waits for, waits for the start to end."""
    threading.Thread(target=end_process, args=(code,), name="corehost-end", daemon=True).start()


def _failed(message: str, *, branch: str | None = None, revision: str | None = None) -> Readiness:
    return Readiness(
        ready=False,
        state="failed",
        branch=branch,
        revision=revision,
        message=message,
        since=datetime.now(UTC),
    )
