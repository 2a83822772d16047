"""How often a waiting instance looks, and when it has waited long enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from corehost.core.jitter import between

_SHORTEST: Final = 0.05
_LONGEST: Final = 0.35
"""Seconds between two looks. The longest bounds how late the last of a fleet notices the end."""
_SHARE: Final = 10
_CAP: Final = 1.0
"""A look costs the server a new connection. Where it takes long because many are looking, each looks
seldomer: a waiter rests ten times as long as its look took, up to a second."""


class Pace:
    """Jittered pauses that grow while nothing happens, and the clock of ``wait_timeout``."""

    def __init__(
        self,
        timeout: timedelta,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._timeout = timeout.total_seconds()
        self._sleep = sleep
        self._clock = clock
        self._last_progress = clock()
        self._seen: Any = None
        self._pause = _SHORTEST
        self._look_began = self._last_progress
        self.waited = 0.0
        """Seconds spent waiting so far."""

    def progress(self, seen: Any = None) -> None:
        """Somebody has got on: begin to count anew."""
        self._last_progress = self._clock()
        if seen is not None and seen != self._seen:
            self._pause = _SHORTEST
        self._seen = seen

    def note(self, seen: Any, *, active: bool) -> None:
        """Tell what a look has seen: a change, or a holder at work, is progress."""
        if active or seen != self._seen:
            self.progress(seen)

    @property
    def timed_out(self) -> bool:
        """Whether nobody has made progress for ``wait_timeout``."""
        return self._clock() - self._last_progress >= self._timeout

    def look_begins(self) -> None:
        """A look at the database begins, from connecting onwards."""
        self._look_began = self._clock()

    def pause(self) -> None:
        """Sleep for a while, never the same while: a fleet that waits must not look in step."""
        now = self._clock()
        longest = max(self._pause, min((now - self._look_began) * _SHARE, _CAP))
        self._pause = min(self._pause * 1.5, _LONGEST)
        self._sleep(longest * between(0.6, 1.0))
        self.waited += self._clock() - now
