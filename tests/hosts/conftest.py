"""Fixtures of the hosts' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.packages import OWN_GROUPS
from support.processes import Processes


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Processes that see these tests' own plugins alone."""
    with Processes(OWN_GROUPS) as running:
        yield running
