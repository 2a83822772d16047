"""A thread of corehost's that outlives its test would disturb others: the test that left it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

PATIENCE = 20.0
"""How many seconds a thread may take to notice that it is over."""


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """What the test has started has ended when it ends."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread not in before and thread.name.startswith("corehost"):
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"the thread {thread.name} is left running"
