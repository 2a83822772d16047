"""Under which paths a host shows what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from corehost.core.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Paths:
    """The paths of the health endpoints and of the console; None switches one off.

    Raises ConfigurationError for one that does not begin with a slash, and for one given twice, except
    that ``health`` and ``ready`` may be the same.
    """

    health: str | None = "/health"
    """Readiness, for people and dashboards."""
    ready: str | None = "/readyz"
    """Readiness, for probes."""
    live: str | None = "/livez"
    """Liveness."""
    metrics: str | None = None
    """Numbers for Prometheus."""
    openapi: str | None = None
    """The description of these endpoints."""
    console: str | None = None
    """The console, and all below it."""

    def of_console(self, path: str) -> bool:
        """Whether a path is the console's."""
        return self.console is not None and (path == self.console or path.startswith(f"{self.console}/"))

    def __post_init__(self) -> None:
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, path in given.items():
            if path is not None and not path.startswith("/"):
                raise ConfigurationError(f"{name}: the path {path!r} does not begin with a slash")
        if self.console is not None and self.console.endswith("/"):
            raise ConfigurationError(f"console: the path {self.console!r} ends with a slash")
        if self.health == self.ready:
            del given["ready"]
        for path, times in Counter(given.values()).items():
            if path is not None and times > 1:
                names = " and ".join(sorted(name for name, other in given.items() if other == path))
                raise ConfigurationError(f"{names} have the same path {path!r}")
