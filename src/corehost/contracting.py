"""Runs what was held back in the background of an instance that serves: contract and background steps."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from corehost.core.deferral import Held
from corehost.core.errors import CorehostError, WaitTimedOut
from corehost.core.jitter import between
from corehost.core.results import MigrationReport
from corehost.core.revision import Node

_log = logging.getLogger("corehost")

_OFTEN: Final = 3.0
"""Seconds between two looks at who is present, cut by up to a half at random: one statement each."""
_BUSY: Final = 15.0
"""Seconds up to which the passes of those move apart who find again and again that another one is at it."""
_SELDOM: Final = 60.0
"""Seconds between two passes where time alone is waited for, or a pass has failed."""
_TICK: Final = 0.1
"""Seconds between two looks at whether a pass has ended."""


class LateSteps:
    """What was held back when this instance became ready, and is run as soon as it may be.

    By a pass like any other, under the same locks; whoever of the fleet comes first runs it, and the others
    find nothing left to do.
    """

    def __init__(
        self, present: Callable[[Collection[str]], Collection[str]], run: Callable[[], MigrationReport]
    ):
        self._present = present
        self._run = run
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, held: Mapping[Node, Held]) -> None:
        """Begin to wait, on a thread of its own; does nothing where all is left to an operator."""
        if not _by_hand(held):
            name = "corehost-late-steps"
            self._thread = threading.Thread(target=self._wait, args=(held,), name=name, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Begin no pass any more."""
        self._over.set()

    def wait_for_end(self, interrupt: Callable[[], object], *, seconds: float) -> None:
        """Wait for a pass that runs, which ``interrupt`` asks to end; for so long at most."""
        thread, deadline = self._thread, time.monotonic() + seconds
        if thread is None or thread is threading.current_thread():
            return
        while thread.is_alive() and time.monotonic() < deadline:
            interrupt()  # what is not at work yet hears nothing of it
            thread.join(_TICK)

    def _wait(self, held: Mapping[Node, Held]) -> None:
        pause, began = _pause(held), time.monotonic()
        while not self._over.wait(pause * between(0.5, 1.0)):
            if not self._is_due(held, time.monotonic() - began) or self._over.is_set():
                continue
            try:
                held = self._run().deferred
                pause, began = _pause(held), time.monotonic()
            except WaitTimedOut:
                pause = min(max(pause * 2, _OFTEN), _BUSY)  # another one is at it
            except CorehostError as error:
                if self._over.is_set():
                    return
                _log.warning(
                    "what was held back could not be run: %s",
                    error,
                    extra={"event": "contract.failed"},
                )
                pause = _SELDOM
            except Exception:
                _log.exception("what was held back could not be run", extra={"event": "contract.failed"})
                pause = _SELDOM
            if _by_hand(held):
                return

    def _is_due(self, held: Mapping[Node, Held], waited: float) -> bool:
        """Whether any of the steps may be run now, as far as one statement tells."""
        waiting = [one for one in held.values() if not one.by_hand]
        if any(not one.older and waited >= (one.seconds or 0.0) for one in waiting):
            return True
        older = {digest for one in waiting for digest in one.older}
        here = set(self._present(older)) if older else older
        return any(one.older and here.isdisjoint(one.older) for one in waiting)


def _by_hand(held: Mapping[Node, Held]) -> bool:
    return all(one.by_hand for one in held.values())


def _pause(held: Mapping[Node, Held]) -> float:
    waiting = [one.seconds for one in held.values() if not one.by_hand]
    left = [seconds for seconds in waiting if seconds is not None]
    if len(left) < len(waiting) or not left:
        return _OFTEN
    return min(max(min(left) * 2, 0.5), _SELDOM)  # cut by half at random it still is not too early
