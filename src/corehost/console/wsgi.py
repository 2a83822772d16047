"""The console as a WSGI application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from corehost.console.app import Asked, Console, busy
from corehost.console.blocking import follow, read_page
from corehost.console.feed import TooManyViews
from corehost.console.sight import ConsoleHost
from corehost.http.answers import Answer, Request

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class WsgiConsole:
    """The console of a host, to be mounted wherever WSGI applications are.

    ``path`` is the one where it is mounted, unless the server says so in ``SCRIPT_NAME``. No browser is
    kept connected, since that would take a worker: it asks again every two seconds, and is answered at
    once. Where the settings name a ``health_token`` only who shows it may look. Raises ConfigurationError
    where its file cannot be read.
    """

    def __init__(self, host: ConsoleHost, *, path: str = ""):
        self._console = Console(host)
        self._path = path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        mount = environ.get("SCRIPT_NAME", "") + self._path
        found = self._console.answer(self._request(environ), mount=mount)
        if isinstance(found, Asked):
            found = self._events(found) if found.live else read_page(self._console, found)
        start_response(f"{found.status.value} {found.status.phrase}", list(found.headers))
        return [found.body]

    def _request(self, environ: WSGIEnvironment) -> Request:
        # PEP 3333: bytes decoded as latin-1
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        return Request(
            method=environ["REQUEST_METHOD"],
            path=path.removeprefix(self._path),
            query=environ.get("QUERY_STRING", ""),
            authorization=environ.get("HTTP_AUTHORIZATION"),
            last_event_id=environ.get("HTTP_LAST_EVENT_ID"),
        )

    def _events(self, asked: Asked) -> Answer:
        try:
            body = b"".join(follow(self._console, asked, lasting=False))
        except TooManyViews:
            return busy()
        return self._console.events_at_once(asked, body)
