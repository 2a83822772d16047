"""The answers of the health endpoints, and of a gate that is closed, as values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from corehost.core.errors import ConfigurationError
from corehost.core.presentable import presentable
from corehost.core.results import Readiness

RETRY_AFTER: Final = "1"
"""What a 503 asks for, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One HTTP response."""

    status: HTTPStatus
    """Its status."""
    headers: tuple[tuple[str, str], ...]
    """Its headers, lengths included."""
    body: bytes
    """Its body; empty for HEAD."""


class Endpoints:
    """The health endpoints of one host; they answer from memory and never block.

    A path that is None is switched off. Raises ConfigurationError for one that does not begin with
    a slash.
    """

    def __init__(
        self,
        readiness: Callable[[], Readiness],
        *,
        health: str | None = "/health",
        ready: str | None = "/readyz",
        live: str | None = "/livez",
    ):
        for name, path in (("health", health), ("ready", ready), ("live", live)):
            if path is not None and not path.startswith("/"):
                raise ConfigurationError(f"{name}: the path {path!r} does not begin with a slash")
        self._readiness = readiness
        self._answers: dict[str, Callable[[], Answer]] = {}
        if live is not None:
            self._answers[live] = _alive
        for path in (health, ready):
            if path is not None:
                self._answers[path] = self.report

    def answer(self, method: str, path: str) -> Answer | None:
        """The response of an endpoint, or None where the path is not one."""
        make = self._answers.get(path)
        if make is None:
            return None
        if method not in ("GET", "HEAD"):
            return _json(
                HTTPStatus.METHOD_NOT_ALLOWED, {"message": "use GET or HEAD"}, ("Allow", "GET, HEAD")
            )
        return make() if method == "GET" else replace(make(), body=b"")

    def report(self) -> Answer:
        """200 where the host is ready, else 503."""
        return _reported(self._readiness())

    def closed(self, method: str) -> Answer:
        """The 503 for whatever is not to reach the application yet."""
        readiness = self._readiness()
        if readiness.ready:  # it became ready a moment ago, after the gate was found closed
            readiness = replace(readiness, ready=False, state="starting")
        answer = _reported(readiness)
        return replace(answer, body=b"") if method == "HEAD" else answer


def not_found() -> Answer:
    """404, of a server that has nothing but the endpoints."""
    return _json(HTTPStatus.NOT_FOUND, {"message": "no such path"})


def _presentable(readiness: Readiness) -> Readiness:
    message = None if readiness.message is None else presentable(readiness.message)
    plugins = {name: _presentable(one) for name, one in readiness.plugins.items()}
    return replace(readiness, message=message, plugins=plugins)


def _reported(readiness: Readiness) -> Answer:
    readiness = _presentable(readiness)
    if readiness.ready:
        return _json(HTTPStatus.OK, readiness.as_dict())
    return _json(HTTPStatus.SERVICE_UNAVAILABLE, readiness.as_dict(), ("Retry-After", RETRY_AFTER))


def _alive() -> Answer:
    return _json(HTTPStatus.OK, {"live": True})


def _json(status: HTTPStatus, document: dict[str, object], *headers: tuple[str, str]) -> Answer:
    body = json.dumps({"format_version": "1.0", **document}).encode()
    return Answer(
        status=status,
        headers=(
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *headers,
        ),
        body=body,
    )
