"""What the gates and the health server need of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corehost.core.results import MigrationReport, Readiness
from corehost.core.settings import Settings

if TYPE_CHECKING:
    from corehost.telemetry.measures import Measures


class ReportingHost(Protocol):
    """A host that says whether it may serve."""

    settings: Settings
    """Its settings."""

    @property
    def measures(self) -> Measures:
        """What its passes have done, in numbers."""
        ...

    def readiness(self) -> Readiness:
        """Its readiness, from memory."""
        ...


class StartableHost(ReportingHost, Protocol):
    """A host that can be started and stopped."""

    @property
    def ready(self) -> bool:
        """Whether it may serve, from memory."""
        ...

    def start(self) -> MigrationReport:
        """Run the pass and the start-up hooks; blocks, and raises CorehostError."""
        ...

    def interrupt(self) -> bool:
        """Ask a pass that runs on another thread to end soon; False where none runs."""
        ...

    def stop(self) -> None:
        """Run the shut-down hooks; a second call does nothing."""
        ...
