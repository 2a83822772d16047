"""Spares the garbage collector what it cannot find anything in: the libraries that a pass has loaded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_changing: Final = threading.Lock()
_users = 0


@contextmanager
def spared_collector() -> Iterator[None]:
    """What is there now is not searched for garbage in the block; what is made in it is.

    Each statement of SQLAlchemy's leaves cycles, and to find them the collector would go through all
    modules, classes and functions again and again. Where the application has frozen something itself,
    nothing is changed: it would be thawed along.
    """
    global _users
    with _changing:
        is_ours = _users > 0 or gc.get_freeze_count() == 0
        if is_ours:
            _users += 1
            gc.freeze()
    try:
        yield
    finally:
        if is_ours:
            with _changing:
                _users -= 1
                if not _users:
                    gc.unfreeze()
