"""Hosts without a database, and real servers on the loopback, for the tests of the gates."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import uvicorn

from corehost.core.results import MigrationReport, Readiness
from corehost.core.settings import Settings
from corehost.telemetry.measures import Measures
from support.processes import PATIENCE, wait_until


class BlockingHost:
    """A host whose pass lasts until the test lets it go, and fails as often as the test says."""

    def __init__(self, *failures: BaseException, told: bool = False):
        self.release = threading.Event()
        """Ends the pass that runs, and all later ones at once."""
        self.running = threading.Event()
        """Set once a pass has begun."""
        self.settings = Settings()
        self.measures = Measures()
        self.starts = 0
        self.stops = 0
        self.log: list[str] = []
        """What happened, in order; applications of the tests add to it."""
        self._failures = list(failures)
        self._told = told
        self._readiness = Readiness(ready=False, state="starting")

    @property
    def ready(self) -> bool:
        return self._readiness.ready

    def readiness(self) -> Readiness:
        return self._readiness

    def say(self, **changes: Any) -> None:
        """Change what the host reports of itself."""
        self._readiness = replace(self._readiness, **changes)

    def interrupt(self) -> bool:
        return False

    def start(self) -> MigrationReport:
        self.starts += 1
        self.say(state="migrating", branch="billing", revision="a06d3c88e15b")
        self.running.set()
        assert self.release.wait(PATIENCE)
        if self._failures:
            failure = self._failures.pop(0)
            if self._told:
                self.say(state="failed", message=str(failure))
            raise failure
        self.log.append("host started")
        self._readiness = Readiness(ready=True, state="ready")
        return MigrationReport(ready=True)

    def stop(self) -> None:
        self.stops += 1
        self.log.append("host stopped")
        self.release.set()


@contextmanager
def uvicorn_server(app: Callable[..., Any], **options: Any) -> Iterator[httpx.Client]:
    """A uvicorn on a free port, until its own shutdown is done; a client for it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, **{"lifespan": "on", "log_config": None, "ws": "websockets-sansio", **options}
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
    assert not thread.is_alive()


class _ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Keep requests out of standard error."""


@contextmanager
def wsgi_server(app: Callable[..., Any]) -> Iterator[httpx.Client]:
    """A threading wsgiref server on a free port; a client for it."""
    server = make_server("127.0.0.1", 0, app, server_class=_ThreadingWSGIServer, handler_class=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with _client(server.server_port) as client:
            yield client
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def status_of(client: httpx.Client, path: str) -> int:
    """The status of a GET."""
    return client.get(path).status_code


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
