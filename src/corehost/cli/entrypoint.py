"""What probes are told by ``corehost run`` while it is the parent of its command."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from corehost.cli.problems import complain
from corehost.core.errors import ConfigurationError, CorehostError
from corehost.core.results import Readiness
from corehost.web.ports import ReportingHost
from corehost.web.server import HealthServer
from corehost.web.startup import HOPELESS, delays

_log = logging.getLogger("corehost")


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

    def keep_trying(self, bring_up: Callable[[], object]) -> None:
        """Bring the host up, again after a failure that may pass, unless ``on_failure`` says otherwise.

        Raises CorehostError.
        """
        for delay in delays():
            try:
                bring_up()
                return
            except CorehostError as error:
                if self.settings.on_failure == "exit" or error.exit_code in HOPELESS:
                    raise
                _log.warning("%s; next try in %.1f s", error, delay, extra={"event": "start.retried"})
                self.measures.retried("start")
            time.sleep(delay)

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
def listening(
    entrypoint: Entrypoint, port: int, address: str, *, quiet: bool, **paths: str
) -> Iterator[None]:
    """Answer probes; says on which port. Raises ConfigurationError where it cannot be listened on."""
    server = HealthServer(entrypoint, port, address=address, **paths)
    with ExitStack() as stack:
        try:
            stack.enter_context(server)
        except OSError as error:
            place = f"port {port}{f' of {address}' if address else ''}"
            raise ConfigurationError(f"{place} cannot be listened on: {error.strerror or error}") from error
        if not quiet:
            complain(f"health endpoints on port {server.port}")
        yield
