"""Health checks that plugins register, and what came of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from corehost.core.errors import ConfigurationError
from corehost.core.setting_types import as_duration

if TYPE_CHECKING:
    from corehost.host import Host

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")

CheckStatus = Literal["pending", "passing", "failing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheck:
    """One thing that a plugin looks after while its host serves.

    Durations may be given as text with a unit. Raises ConfigurationError for a value that is wrong.
    """

    name: str
    """Its name, one of its kind in the plugin: ``[a-z][a-z0-9_-]{0,39}``."""
    check: Callable[[Host], object]
    """Called with the host on a thread of its own; it fails by raising, or by returning False. A text that it
    returns is shown. Not a coroutine function: its loop would not be the application's."""
    timeout: timedelta = timedelta(seconds=5)
    """How long it may take; from then on it fails until it returns. It is never called twice at a time."""
    interval: timedelta = timedelta(seconds=15)
    """How long after its end it is called again."""
    critical: bool = False
    """Whether the host is not ready while it fails; otherwise it is only shown."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigurationError(f"health check {self.name!r}: the name does not match {_NAME.pattern}")
        label = f"health check {self.name!r}"
        if inspect.iscoroutinefunction(self.check):
            raise ConfigurationError(
                f"{label}: a coroutine function cannot be called from a thread",
                hint="hand the work to the application's loop by asyncio.run_coroutine_threadsafe()",
            )
        if not callable(self.check):
            raise ConfigurationError(f"{label}: check is of type {type(self.check).__name__}, not callable")
        for name in ("timeout", "interval"):
            value = as_duration(f"{label}: {name}", getattr(self, name))
            if not value:
                raise ConfigurationError(f"{label}: {name} is 0")
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """How one check stands."""

    plugin: str
    """The plugin that registered it."""
    name: str
    """Its name there."""
    critical: bool
    """Whether the host is not ready while it fails."""
    status: CheckStatus
    """``pending`` until it has answered for the first time."""
    message: str | None = None
    """What it returned, or why it fails; without secrets."""
    checked_at: datetime | None = None
    """When it ended last, UTC."""
    duration_ms: float | None = None
    """How long it took then, in milliseconds."""

    def as_dict(self) -> dict[str, Any]:
        """One of the ``checks`` of ``/health``."""
        at = self.checked_at
        return {
            "plugin": self.plugin,
            "name": self.name,
            "critical": self.critical,
            "status": self.status,
            "message": self.message,
            "checked_at": None if at is None else at.isoformat().replace("+00:00", "Z"),
            "duration_ms": None if self.duration_ms is None else round(self.duration_ms, 3),
        }

    def __str__(self) -> str:
        text = f"health check {self.name!r} of plugin {self.plugin!r} is {self.status}"
        return f"{text}: {self.message}" if self.message else text
