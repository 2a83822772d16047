"""A client that asks web servers without a pause, and what can be said of their answers."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from support.web_servers import WebServer

APPLICATION, READY, HEALTH, LIVE = "/orders", "/readyz", "/health", "/livez"
PATHS = (APPLICATION, READY, APPLICATION, HEALTH, APPLICATION, LIVE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One request and what came of it; times of one monotonic clock, in seconds."""

    server: str
    path: str
    status: int
    """0 where nobody listened, or the connection was cut."""
    began: float
    ended: float
    body: bytes = b""
    """Of the answer; where there was none, the client's error."""


def ask(server: WebServer, path: str) -> Answer:
    """One GET."""
    began = time.monotonic()
    try:
        status, body = server.get(path)
    except (OSError, http.client.HTTPException) as error:
        status, body = 0, repr(error).encode()
    return Answer(
        server=server.name, path=path, status=status, began=began, ended=time.monotonic(), body=body
    )


class Hammer:
    """While the block runs, a thread, or several, for each server asks for one path after the other."""

    def __init__(self, servers: Sequence[WebServer], *, threads: int = 1, pause: float = 0.02):
        self._stop = threading.Event()
        self._pause = pause
        self._answers: dict[str, list[Answer]] = {server.name: [] for server in servers}
        self._threads = [
            threading.Thread(target=self._ask, args=(server,)) for server in servers for _ in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> list[Answer]:
        """All answers so far, by the time at which they had come."""
        found = [answer for answers in self._answers.values() for answer in tuple(answers)]
        return sorted(found, key=lambda answer: answer.ended)

    def of(self, server: str, path: str) -> list[Answer]:
        """The answers of one server on one path, in the order in which they were asked for."""
        found = [answer for answer in tuple(self._answers[server]) if answer.path == path]
        return sorted(found, key=lambda answer: answer.began)

    def _ask(self, server: WebServer) -> None:
        while not self._stop.is_set():
            for path in PATHS:
                self._answers[server.name].append(ask(server, path))
                self._stop.wait(self._pause)


class Schema:
    """While the block runs, a thread looks again and again whether a table is there."""

    def __init__(self, url: str, table: str):
        self._connection = psycopg.connect(url, autocommit=True)
        self._table = table
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.last_absent = time.monotonic()
        """When the last look began that found no table: at that moment it was not there."""
        self.seen: float | None = None
        """When the first look ended that found it; None until then."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _look(self) -> None:
        while self.seen is None and not self._stop.is_set():
            began = time.monotonic()
            row: Any = self._connection.execute("SELECT to_regclass(%s)", [self._table]).fetchone()
            if row[0] is None:
                self.last_absent = began
            else:
                self.seen = time.monotonic()
            self._stop.wait(0.002)


def too_early(answers: Iterable[Answer], *, absent_at: float) -> list[Answer]:
    """The answers that let somebody in while the schema was certainly not complete.

    Those are 200 on any path but that of liveness, come before a look that still found no table; and
    on the application's path all but 503 and nobody listening: the application itself was reached.
    """
    return [
        answer
        for answer in answers
        if answer.path != LIVE
        and answer.ended <= absent_at
        and (answer.status == 200 or (answer.path == APPLICATION and answer.status not in (0, 503)))
    ]


def refused_after_ready(answers: Iterable[Answer]) -> list[Answer]:
    """The requests for the application, of one server, that began after it had said ready and got no 200."""
    found = list(answers)
    ready = [answer.ended for answer in found if answer.path == READY and answer.status == 200]
    return [
        answer
        for answer in found
        if answer.path == APPLICATION and answer.status != 200 and ready and answer.began > min(ready)
    ]
