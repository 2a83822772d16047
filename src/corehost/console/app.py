"""The console without a server: which request gets which answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from corehost.console.events import Stream
from corehost.console.feed import Feed
from corehost.console.page import Draughtsman, Page, document
from corehost.console.resources import resource
from corehost.console.sight import ConsoleHost, Sight, View
from corehost.console.words import stamp
from corehost.http.access import Access
from corehost.http.answers import Answer, Request

PATIENCE: Final = 4.0
"""Seconds that a request for the page waits for the database; then the page says so, and follows."""
_FILES: Final = {
    "/console.css": ("text/css; charset=utf-8", ("picture.css", "console.css")),
    "/console.js": ("text/javascript; charset=utf-8", ("console.js",)),
    "/icon.svg": ("image/svg+xml", ("icon.svg",)),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_CHALLENGES: Final = (
    # first: a browser then asks for it, and sends it along with every request of the page
    ("WWW-Authenticate", 'Basic realm="corehost", charset="UTF-8"'),
    ("WWW-Authenticate", 'Bearer realm="corehost"'),
)
_ALWAYS: Final = (
    (
        "Content-Security-Policy",
        _POLICY,
    ),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Robots-Tag", "noindex"),
    ("Cache-Control", "no-store"),
)
STREAMING: Final = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("X-Accel-Buffering", "no"),  # or nginx would collect events
    *_ALWAYS,
)
"""The headers of a stream of events."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request that needs a look at the database."""

    view: View
    live: bool
    """Whether it is for events, not for the page."""
    refresh: int | None = None
    """Seconds after which a browser without a script is to load the page again."""
    seen: str | None = None
    """The digest of what the browser has."""
    head: bool = False


class Console:
    """The console of one host, for servers of any kind.

    Where the settings name a ``health_token`` only who shows it may look. Raises ConfigurationError where its
    file cannot be read.
    """

    def __init__(self, host: ConsoleHost):
        self.feed = Feed(host)
        """The pages that somebody watches."""
        self._access = Access(host.settings)

    @property
    def limited(self) -> bool:
        """Whether a token is asked for."""
        return self._access.limited

    def answer(self, request: Request, *, mount: str = "") -> Answer | Asked:
        """The response, or what has to be read for it.

        The request's path is that below ``mount``: empty there itself, where a slash is missing.
        """
        found = self._answer(request, mount)
        if isinstance(found, Asked):
            return replace(found, head=request.method == "HEAD")
        return found.to(request.method)

    def page(self, asked: Asked, page: Page | None) -> Answer:
        """The page's response; None: the database has not answered in time."""
        page = page or Draughtsman().page(Sight(), asked.view)
        html = document(
            page,
            asked.view,
            database=self.feed.database,
            now=stamp(datetime.now(UTC)),
            refresh=asked.refresh,
        )
        found = _answer(HTTPStatus.OK, "text/html; charset=utf-8", html.encode())
        return replace(found, body=b"") if asked.head else found

    def events_at_once(self, asked: Asked, body: bytes) -> Answer:
        """Events that are known already, as a whole response."""
        length = ("Content-Length", str(len(body)))
        return Answer(status=HTTPStatus.OK, headers=(*STREAMING, length), body=b"" if asked.head else body)

    def stream(self, asked: Asked, *, lasting: bool) -> Stream:
        """The events for one browser."""
        return Stream(self.feed, asked.view, asked.seen, lasting=lasting)

    def _answer(self, request: Request, mount: str) -> Answer | Asked:
        if request.method not in ("GET", "HEAD"):
            return text_answer(HTTPStatus.METHOD_NOT_ALLOWED, "use GET or HEAD", ("Allow", "GET, HEAD"))
        if not self._access.allows(request.authorization):
            return text_answer(HTTPStatus.UNAUTHORIZED, "a token is needed", *_CHALLENGES)
        if request.path == "":
            # Relative, so that it holds behind a proxy that serves it under another path.
            query = f"?{request.query}" if request.query else ""
            there = f"{mount.rpartition('/')[2]}/{query}"
            return text_answer(HTTPStatus.PERMANENT_REDIRECT, "see below", ("Location", there))
        if request.path in _FILES:
            kind, names = _FILES[request.path]
            return _answer(HTTPStatus.OK, kind, b"".join(map(resource, names)))
        if request.path not in ("/", "/events"):
            return text_answer(HTTPStatus.NOT_FOUND, "no such page")
        given = {name: values[-1] for name, values in parse_qs(request.query).items()}
        branch = given.get("branch")
        try:
            if branch is not None and "\0" in branch:  # the database would refuse it, for everybody's view
                raise ValueError("branch is a text without zero bytes")
            return Asked(
                view=View(branch=branch, before=_number(given, "before", 2**63 - 1)),
                live=request.path == "/events",
                refresh=_number(given, "refresh", 3600),
                seen=request.last_event_id or given.get("seen"),
            )
        except ValueError as error:
            return text_answer(HTTPStatus.BAD_REQUEST, str(error))


def busy() -> Answer:
    """So many different views are watched that one more has to wait."""
    return text_answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many views are open", ("Retry-After", "5"))


def _number(given: Mapping[str, str], name: str, most: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= most):
        raise ValueError(f"{name} is a number from 1 to {most}")
    return int(text)


def text_answer(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Answer:
    """A response of one line."""
    return _answer(status, "text/plain; charset=utf-8", f"{text}\n".encode(), *headers)


def _answer(status: HTTPStatus, kind: str, body: bytes, *headers: tuple[str, str]) -> Answer:
    return Answer(
        status=status,
        headers=(("Content-Type", kind), ("Content-Length", str(len(body))), *_ALWAYS, *headers),
        body=body,
    )
