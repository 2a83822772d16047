"""What probes are told by ``corehost run`` while it is the parent of its command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from corehost.cli.problems import complain
from corehost.core.errors import ConfigurationError
from corehost.core.results import Readiness
from corehost.web.ports import ReportingHost
from corehost.web.server import HealthServer


class Entrypoint:
    """A host and the command that runs on it: ready while both are."""

    def __init__(self, host: ReportingHost):
        self.settings = host.settings
        self.measures = host.measures
        self._host = host
        self._running = False
        self._ended: Readiness | None = None

    def readiness(self) -> Readiness:
        """The host's readiness as long as the command runs; from memory."""
        if self._ended is not None:
            return self._ended
        readiness = self._host.readiness()
        if readiness.ready and not self._running:
            return replace(readiness, ready=False, state="starting", message="the command is being started")
        return readiness

    def started(self) -> None:
        """The command runs."""
        self._running = True

    def ended(self, code: int) -> None:
        """The command has ended with this status."""
        self._ended = Readiness(
            ready=False,
            state="failed",
            message=f"the command has ended with exit status {code}",
            since=datetime.now(UTC),
        )


@contextmanager
def listening(entrypoint: Entrypoint, port: int, address: str, *, quiet: bool) -> Iterator[None]:
    """Answer probes; says on which port. Raises ConfigurationError where it cannot be listened on."""
    server = HealthServer(entrypoint, port, address=address)
    with ExitStack() as stack:
        try:
            stack.enter_context(server)
        except OSError as error:
            place = f"port {port}{f' of {address}' if address else ''}"
            raise ConfigurationError(f"{place} cannot be listened on: {error.strerror or error}") from error
        if not quiet:
            complain(f"health endpoints on port {server.port}")
        yield
