"""Plays the server's part of ASGI's lifespan to the wrapped application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

Outcome = Literal["started", "failed", "absent"]

log = logging.getLogger("corehost")

_FAILED = {"event": "application.failed"}


class Lifespan:
    """The wrapped application's own lifespan, in one task from its start to its end."""

    def __init__(self, app: Application, scope: Scope):
        self._app = app
        self._scope = scope
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._started: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        self._error: str | None = None

    async def start(self) -> Outcome:
        """Run the application's start-up; ``absent`` where it has no lifespan.

        An application that raises on the scope has none, as the specification says. One that asks for
        the start-up event and raises then has a start-up, and it failed.
        """
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._play())
        return await asyncio.shield(self._started)

    async def stop(self) -> str | None:
        """Run the application's shutdown, or cancel its start; the message of a shutdown that failed."""
        if self._task is None:
            return None
        if self._started.done() and self._started.result() == "started":
            self._events.put_nowait({"type": "lifespan.shutdown"})
            await self._ended.wait()
        self._task.cancel()
        await asyncio.wait({self._task})
        return self._error

    async def _receive(self) -> Message:
        event = await self._events.get()
        self._asked = True
        return event

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._settle("started")
            case "lifespan.startup.failed":
                log.error("the application's start-up failed: %s", message.get("message", ""), extra=_FAILED)
                self._settle("failed")
            case "lifespan.shutdown.complete":
                self._ended.set()
            case "lifespan.shutdown.failed":
                self._error = str(message.get("message", ""))
                self._ended.set()
            case other:
                self._settle("absent")  # it takes the scope for a request
                raise RuntimeError(f"{other!r} is no message of a lifespan")

    async def _play(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:
            if self._settle("failed" if self._asked else "absent"):
                log.log(
                    logging.ERROR if self._asked else logging.DEBUG,
                    "the application raised in its lifespan",
                    exc_info=error,
                    extra=_FAILED,
                )
            elif self._started.result() == "started" and self._error is None:
                log.error("the application raised in its lifespan", exc_info=error, extra=_FAILED)
                self._error = type(error).__name__
        finally:
            self._settle("absent")
            self._ended.set()

    def _settle(self, outcome: Outcome) -> bool:
        if self._started.done():
            return False
        self._started.set_result(outcome)
        return True
