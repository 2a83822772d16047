"""Who runs the steps: set around those of this branch, read by its revisions."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_actor: ContextVar[str] = ContextVar("actor", default="unknown")


def name() -> str:
    """The actor of this process: ``AUDIT_ACTOR``, or process and machine."""
    return os.environ.get("AUDIT_ACTOR") or f"process {os.getpid()} on {socket.gethostname()}"


def current() -> str:
    """The actor of the step that is being run; ``unknown`` outside of one."""
    return _actor.get()


@contextmanager
def acting(actor: str) -> Iterator[None]:
    """Name the actor for as long as the block runs."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
