"""The console as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from corehost.console.app import PATIENCE, STREAMING, Asked, Console, busy
from corehost.console.events import BEAT
from corehost.console.feed import TooManyViews
from corehost.console.sight import ConsoleHost
from corehost.http.answers import Answer, Request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_STREAMS: Final = 20


class AsgiConsole:
    """The console of a host, to be mounted wherever ASGI applications are; for asyncio servers.

    ``path`` is the one where it is mounted, unless the server says so in ``root_path``; ``streams``, how
    many browsers are kept connected at once: others ask again and again. Where the settings name a
    ``health_token`` only who shows it may look. Raises ConfigurationError where its file cannot be read.
    """

    def __init__(self, host: ConsoleHost, *, path: str = "", streams: int = _STREAMS):
        self._console = Console(host)
        self._path = path
        self._streams = streams
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = self._mount(scope)
        found = self._console.answer(_request(scope, mount), mount=mount)
        if isinstance(found, Asked):
            try:
                await (self._events if found.live else self._page)(found, receive, send)
            except TooManyViews:
                await _respond(busy(), send)
        else:
            await _respond(found, send)

    def _mount(self, scope: Scope) -> str:
        """The path of the page's own address, as the scope's path has it."""
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if not root or not (path == root or path.startswith(f"{root}/")):
            return self._path  # a server that leaves root_path out of the path
        return root + self._path if path.startswith(root + self._path) else root

    async def _page(self, asked: Asked, receive: Receive, send: Send) -> None:
        changed = _Bell()
        with self._console.feed.watching(asked.view, changed.ring):
            if self._console.feed.page(asked.view) is None:
                await changed.heard(PATIENCE)
            answer = self._console.page(asked, self._console.feed.page(asked.view))
        await _respond(answer, send)

    async def _events(self, asked: Asked, receive: Receive, send: Send) -> None:
        lasting = self._open < self._streams
        self._open += lasting
        gone = asyncio.create_task(_disconnected(receive))
        try:
            changed = _Bell()
            with self._console.feed.watching(asked.view, changed.ring):
                headers = [(name.lower().encode(), value.encode()) for name, value in STREAMING]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await self._follow(asked, changed, gone, send, lasting=lasting)
        finally:
            gone.cancel()
            self._open -= lasting

    async def _follow(
        self, asked: Asked, changed: _Bell, gone: asyncio.Task[None], send: Send, *, lasting: bool
    ) -> None:
        stream = self._console.stream(asked, lasting=lasting)

        async def say(text: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": more})

        if self._console.feed.page(asked.view) is None and not asked.head:
            await changed.heard(PATIENCE)
        while not asked.head:
            if text := stream.news():
                await say(text)
            if not lasting or stream.over:
                break
            heard = await changed.heard(BEAT, unless=gone)
            if gone.done():
                return
            if not heard:
                await say(stream.beat())
        await say(b"" if asked.head else stream.beat(), more=False)


def _request(scope: Scope, mount: str) -> Request:
    path: str = scope["path"]
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    return Request(
        method=scope["method"],
        path=path.removeprefix(mount),
        query=scope.get("query_string", b"").decode("latin-1"),
        authorization=headers.get(b"authorization"),
        last_event_id=headers.get(b"last-event-id"),
    )


class _Bell:
    """Rung on another thread, heard in the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def heard(self, seconds: float, unless: asyncio.Task[None] | None = None) -> bool:
        """Wait until it is rung, or that task is done; False where nothing was heard for so long."""
        waiting = asyncio.create_task(self._event.wait())
        try:
            await asyncio.wait(
                {waiting, *([unless] if unless else [])}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return self._event.is_set()
        finally:
            waiting.cancel()
            self._event.clear()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    """A whole application of its own has a lifespan, in which nothing happens."""
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def _respond(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
