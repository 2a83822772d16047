"""Ends a serving process with an exit code of corehost's, whichever server it runs in.

A server ends well when it is asked to, by SIGTERM: it lets requests finish and runs its own clean-up. But it
then ends as after any SIGTERM. So the code is kept here, and the process leaves with it at the end of that
clean-up: of the lifespan, where there is one, or of the interpreter.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

log = logging.getLogger("corehost")

GRACE: Final = 30.0
"""Seconds that a server has to end once it was asked to."""

_code: int | None = None


def end_process(code: int) -> None:
    """Have this process end with that exit code; blocks, for no longer than ``GRACE``.

    Where nobody handles SIGTERM there is no clean-up to wait for. May be called from any thread.
    """
    global _code
    if _code is not None:
        return
    _code = code
    log.error("this process ends with exit code %d", code, extra={"event": "start.exit"})
    if signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
    leave_if_asked()


def leave_if_asked() -> None:
    """Leave at once where :func:`end_process` was called: whatever had to be done is done."""
    if _code is None:
        return
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(_code)


# Registered when this is imported, so that what applications register later is called before.
atexit.register(leave_if_asked)
