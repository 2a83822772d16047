"""Requests and answers of corehost's own pages, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Self

HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""What every answer has: it is kept nowhere, and a browser that is led to it makes nothing else of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What of an HTTP request an answer may depend on."""

    method: str
    """Its method, in capitals."""
    path: str
    """Its path below the point where the application is mounted, without the query."""
    authorization: str | None = None
    """Its header Authorization."""
    accept: str | None = None
    """Its header Accept."""
    query: str = ""
    """Its query, without the question mark."""
    last_event_id: str | None = None
    """Its header Last-Event-ID."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One HTTP response."""

    status: HTTPStatus
    """Its status."""
    headers: tuple[tuple[str, str], ...]
    """Its headers, lengths included."""
    body: bytes
    """Its body; empty for HEAD."""

    def to(self, method: str) -> Self:
        """The same as it goes to a request of that method: HEAD gets no body."""
        return replace(self, body=b"") if method == "HEAD" else self


def text_answer(status: HTTPStatus, body: bytes, kind: str, *headers: tuple[str, str]) -> Answer:
    """An answer with a body of that content type."""
    return Answer(
        status=status,
        headers=(("Content-Type", kind), ("Content-Length", str(len(body))), *HEADERS, *headers),
        body=body,
    )


def json_answer(status: HTTPStatus, document: Mapping[str, object], *headers: tuple[str, str]) -> Answer:
    """An answer with a JSON document."""
    return text_answer(status, json.dumps(document).encode(), "application/json", *headers)


def problem(status: HTTPStatus, message: str, *headers: tuple[str, str]) -> Answer:
    """An answer that says why there is nothing else to be had."""
    return json_answer(status, {"format_version": "1.0", "message": message}, *headers)


def not_found() -> Answer:
    """404, of a server that has nothing but corehost's own pages."""
    return problem(HTTPStatus.NOT_FOUND, "no such path")


def wrong_method() -> Answer:
    """405: a page is there to be read."""
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, "use GET or HEAD", ("Allow", "GET, HEAD"))


def token_wanted() -> Answer:
    """401, of a page that is all details."""
    challenge = ("WWW-Authenticate", 'Bearer realm="corehost"')
    return problem(HTTPStatus.UNAUTHORIZED, "send the token as 'Authorization: Bearer ...'", challenge)
