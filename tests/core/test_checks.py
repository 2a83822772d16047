"""What a health check may be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from corehost.core.checks import HealthCheck
from corehost.core.errors import ConfigurationError


async def asynchronous(host: Any) -> None:
    """A check as an application on an event loop might write it."""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "Worker"}, "the name does not match"),
        ({"name": ""}, "the name does not match"),
        ({"check": asynchronous}, "a coroutine function cannot be called from a thread"),
        ({"check": None}, "check is of type NoneType, not callable"),
        ({"timeout": "5"}, "timeout: '5' is not a duration"),
        ({"interval": "0s"}, "interval is 0"),
    ],
)
def test_a_check_that_is_wrong_is_refused(given: dict[str, Any], told: str) -> None:
    """At once, where its author sees it."""
    with pytest.raises(ConfigurationError, match=told):
        HealthCheck(**{"name": "worker", "check": print, **given})


def test_durations_may_be_text() -> None:
    """As in the settings."""
    check = HealthCheck(name="worker", check=print, timeout="250ms")  # type: ignore[arg-type]
    assert check.timeout == timedelta(milliseconds=250)
