"""Fixtures of the gates' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.serving import BlockingHost


@pytest.fixture
def host() -> Iterator[BlockingHost]:
    """A host whose pass lasts until ``host.release`` is set, or the test ends."""
    host = BlockingHost()
    yield host
    host.release.set()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once, and no shutdown waits for a pass that a test holds up."""
    monkeypatch.setattr("corehost.web.startup.between", lambda low, high: 0.0)
    monkeypatch.setattr("corehost.web.startup.GRACE", 0.0)
