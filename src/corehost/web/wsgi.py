"""The readiness gate around a WSGI application."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, cast

from corehost.http.answers import Request
from corehost.web.health import Endpoints
from corehost.web.paths import Paths
from corehost.web.ports import StartableHost
from corehost.web.prefork import PreforkedHost
from corehost.web.startup import Startup

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from corehost.console.sight import ConsoleHost
    from corehost.console.wsgi import WsgiConsole

CATCH_UP: Final = 10.0
"""How long a request is held by a process that is behind others of its server, in seconds; servers cut
off what takes 30."""


class ReadinessGate:
    """Runs the pass on a thread, and lets requests in once it is done.

    WSGI has no lifespan. So the pass begins with the first request of the process, be it a probe, or
    with :meth:`start`: never at construction, since a server that loads the application before it
    forks (gunicorn's ``preload_app``) would leave the thread behind in the parent. To have it begin
    without waiting for a request call :meth:`start` in the worker (gunicorn's ``post_worker_init``).

    Make the gate before the server forks, and its workers make one pass: they take turns, the others
    find nothing to do. Once one of them is ready, one that is still behind, or new, holds a request
    for the moment that its own start takes; a probe that said 200 is then true of all of them.
    The host is stopped when the interpreter ends, or by :meth:`stop`. Paths as in
    :class:`corehost.asgi.ReadinessGate`; raises ConfigurationError for one without a leading slash.
    """

    def __init__(
        self,
        app: WSGIApplication,
        host: StartableHost,
        *,
        health: str | None = "/health",
        ready: str | None = "/readyz",
        live: str | None = "/livez",
        metrics: str | None = None,
        openapi: str | None = None,
        console: str | None = None,
    ):
        self.app = app
        self._host = PreforkedHost(host)
        self._startup = Startup(self._host)
        self._paths = Paths(
            health=health, ready=ready, live=live, metrics=metrics, openapi=openapi, console=console
        )
        self._endpoints = Endpoints(host, self._paths, readiness=self._startup.readiness)
        self._console: WsgiConsole | None = None
        if console is not None:
            from corehost.console.wsgi import WsgiConsole

            self._console = WsgiConsole(cast("ConsoleHost", host), path=console)

    def start(self) -> None:
        """Begin the pass in this process, and return at once; a second call does nothing."""
        self._startup.begin_unattended()

    def stop(self) -> None:
        """Stop the host, or keep it from starting; blocks for its shut-down hooks."""
        self._startup.end()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        self.start()
        path = environ.get("PATH_INFO", "")
        if self._console is not None and self._paths.of_console(path):
            return self._console(environ, start_response)
        request = Request(
            method=environ["REQUEST_METHOD"],
            path=path,
            authorization=environ.get("HTTP_AUTHORIZATION"),
            accept=environ.get("HTTP_ACCEPT"),
        )
        answer = self._endpoints.answer(request)
        if answer is None:
            if self._startup.serving or (self._host.started_before and self._caught_up()):
                return self.app(environ, start_response)
            answer = self._endpoints.closed(request)
        start_response(f"{answer.status.value} {answer.status.phrase}", list(answer.headers))
        return [answer.body]

    def _caught_up(self) -> bool:
        """Wait while this process starts; whether requests may pass then."""
        deadline = time.monotonic() + CATCH_UP
        while time.monotonic() < deadline and self._startup.readiness().state != "failed":
            if self._startup.serving:
                return True
            time.sleep(0.01)
        return self._startup.serving
