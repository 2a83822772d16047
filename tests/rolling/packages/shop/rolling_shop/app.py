"""The application, the same in every release: ``PUT`` and ``GET /customers/ID``, the name in the query."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import unquote

import psycopg
from rolling_loyalty import store as loyalty

from rolling_shop import store


class Application:
    """Reads and writes one customer at a time, on one connection."""

    def __init__(self, url: str):
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError("there is no lifespan here")
        customer = scope["path"].removeprefix("/customers/")
        try:
            async with self._lock:
                status, body = await self._answer(scope, customer)
        except psycopg.Error as error:
            status, body = 500, {"error": str(error)}
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _answer(self, scope: Any, customer: str) -> tuple[int, Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._url)
        async with self._connection.transaction():
            if scope["method"] == "PUT":
                name, _, points = unquote(scope["query_string"].decode()).partition("&")
                await store.put(self._connection, customer, name)
                await loyalty.put(self._connection, customer, int(points))
                return 200, {}
            name = await store.get(self._connection, customer)
            points = await loyalty.get(self._connection, customer)
            return (404, {}) if name is None else (200, {"name": name, "points": points})
