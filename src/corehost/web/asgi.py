"""The readiness gate around an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

from corehost.http.answers import Answer, Request
from corehost.web.ending import leave_if_asked
from corehost.web.health import Endpoints
from corehost.web.lifespan import Application, Lifespan, Receive, Scope, Send
from corehost.web.paths import Paths
from corehost.web.ports import StartableHost
from corehost.web.startup import Startup

if TYPE_CHECKING:
    from corehost.console.asgi import AsgiConsole
    from corehost.console.sight import ConsoleHost


class ReadinessGate:
    """Opens the port at once, runs the pass, starts the application, and only then lets requests in.

    Until then HTTP requests get 503 with ``Retry-After``, WebSockets are denied, and the health
    endpoints say why. ``health`` and ``ready`` are the paths of readiness, ``live`` that of liveness,
    ``metrics`` that of numbers for Prometheus (extra ``prometheus``), ``openapi`` that of a description
    of these, ``console`` that of the console; None switches one off. Around an application or in a
    framework's ``add_middleware``; for asyncio servers. Where the server has no lifespan, the first
    request starts the pass, and the application gets no lifespan either. Raises ConfigurationError for a
    path without a leading slash or given twice, a health_token_file that cannot be read, and metrics
    without the extra.
    """

    def __init__(
        self,
        app: Application,
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
        self._startup = Startup(host)
        self._paths = Paths(
            health=health, ready=ready, live=live, metrics=metrics, openapi=openapi, console=console
        )
        self._endpoints = Endpoints(host, self._paths, readiness=self._startup.readiness)
        self._console: AsgiConsole | None = None
        if console is not None:
            from corehost.console.asgi import AsgiConsole

            self._console = AsgiConsole(cast("ConsoleHost", host), path=console)
        self._state: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        self._startup.begin_unattended()
        if self._console is not None and scope["type"] == "http" and self._paths.of_console(_path(scope)):
            await self._console(scope, receive, send)
            return
        answer = self._answer(scope)
        if answer is None:
            if self._state is not None:
                scope["state"] = {**self._state, **scope.get("state", {})}
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _deny(answer, scope, receive, send)
        else:
            await _respond(answer, send)

    def _answer(self, scope: Scope) -> Answer | None:
        """What the gate itself says to a request, or None where it is the application's."""
        request = _request(scope)
        if scope["type"] == "http":
            endpoint = self._endpoints.answer(request)
            if endpoint is not None:
                return endpoint
        return None if self._startup.serving else self._endpoints.closed(request)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        self._state = scope.setdefault("state", {})
        loop = asyncio.get_running_loop()
        host_started = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(host_started.set)

        self._startup.begin(tell)
        lifespan = Lifespan(self.app, scope)
        starting = asyncio.create_task(self._start_application(lifespan, host_started))
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            starting.cancel()
            error = await lifespan.stop()
            await asyncio.to_thread(self._startup.end)
        if error is None:
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "lifespan.shutdown.failed", "message": error})
        leave_if_asked()

    async def _start_application(self, lifespan: Lifespan, host_started: asyncio.Event) -> None:
        await host_started.wait()
        if await lifespan.start() == "failed":
            self._startup.fail("the application's own start-up failed; the log has the reason")
        else:
            self._startup.open()


def _request(scope: Scope) -> Request:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
    return Request(
        method=scope.get("method", "GET"),
        path=_path(scope),
        authorization=headers.get(b"authorization"),
        accept=headers.get(b"accept"),
    )


def _path(scope: Scope) -> str:
    """The path below the point where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


async def _respond(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": int(answer.status), "headers": _headers(answer)})
    await send({"type": "http.response.body", "body": answer.body})


async def _deny(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        # uvicorn before 0.53 adds a length of its own to a denial, and clients refuse the pair
        headers = [header for header in _headers(answer) if header[0] != b"content-length"]
        await send(
            {"type": "websocket.http.response.start", "status": int(answer.status), "headers": headers}
        )
        await send({"type": "websocket.http.response.body", "body": answer.body})
    else:
        await send({"type": "websocket.close", "code": 1013})  # try again later


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in answer.headers]
