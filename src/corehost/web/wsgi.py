"""The readiness gate around a WSGI application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from corehost.web.health import Endpoints
from corehost.web.ports import StartableHost
from corehost.web.startup import Startup

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class ReadinessGate:
    """Runs the pass on a thread, and lets requests in once it is done.

    WSGI has no lifespan. So the pass begins with the first request of the process, be it a probe, or
    with :meth:`start`: never at construction, since a server that loads the application before it
    forks (gunicorn's ``preload_app``) would leave the thread behind in the parent. To have it begin
    without waiting for a request call :meth:`start` in the worker (gunicorn's ``post_worker_init``).
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
    ):
        self.app = app
        self._startup = Startup(host)
        self._endpoints = Endpoints(self._startup.readiness, health=health, ready=ready, live=live)

    def start(self) -> None:
        """Begin the pass in this process, and return at once; a second call does nothing."""
        self._startup.begin_unattended()

    def stop(self) -> None:
        """Stop the host, or keep it from starting; blocks for its shut-down hooks."""
        self._startup.end()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        self.start()
        method = environ["REQUEST_METHOD"]
        answer = self._endpoints.answer(method, environ.get("PATH_INFO", ""))
        if answer is None:
            if self._startup.serving:
                return self.app(environ, start_response)
            answer = self._endpoints.closed(method)
        start_response(f"{answer.status.value} {answer.status.phrase}", list(answer.headers))
        return [answer.body]
