"""SIGINT and SIGTERM become an exception, so that steps are rolled back and locks released."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_HANDLED: Final = (signal.SIGINT, signal.SIGTERM)
_ONE_REQUEST: Final = 1.0
"""Seconds in which a second signal is the same request: a wrapper passes on what the terminal sent too."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    A KeyboardInterrupt, since for one psycopg cancels the statement that runs, and nobody's
    ``except Exception`` swallows it.
    """

    def __init__(self, number: signal.Signals):
        super().__init__(f"interrupted by {number.name}")
        self.signal = number
        """The signal."""


class _Handler:
    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.gently: Callable[[], bool] | None = None
        self._at = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self._at = signal.Signals(number), time.monotonic()
            if number == signal.SIGTERM and self.gently is not None and self.gently():
                return
            raise Interrupted(self.received)
        if time.monotonic() - self._at > _ONE_REQUEST:
            # Asked again: the clean-up hangs, or somebody's code swallowed the first one.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_handler: _Handler | None = None


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the main thread for SIGINT and SIGTERM; a signal that is ignored stays so."""
    global _handler
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _HANDLED}
    _handler = _Handler()
    for number, action in before.items():
        if action is not signal.SIG_IGN:
            signal.signal(number, _handler)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        _handler = None


@contextmanager
def gently(ask: Callable[[], bool]) -> Iterator[None]:
    """On SIGTERM call ``ask`` first; where it says True, the work inside ends by itself, soon.

    Raises Interrupted at its end then. SIGINT, which somebody at a keyboard sends, is not put off.
    """
    if _handler is None:
        yield
        return
    _handler.gently = ask
    try:
        yield
    finally:
        _handler.gently = None
        if _handler.received is signal.SIGTERM:
            raise Interrupted(_handler.received)


def received() -> signal.Signals | None:
    """The signal that came, for code that may have lost its exception to another one."""
    return None if _handler is None else _handler.received
