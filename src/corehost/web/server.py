"""The health endpoints on a port and a thread of their own."""

from __future__ import annotations

import errno
import logging
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from corehost.http.answers import Request, not_found
from corehost.web.health import Endpoints
from corehost.web.paths import Paths
from corehost.web.ports import ReportingHost

log = logging.getLogger("corehost")

_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class HealthServer:
    """Answers the health endpoints while the block runs: for workers, and whatever serves no HTTP.

    It reports on the host and does not start it: ``with HealthServer(host), host: ...`` answers from
    before the pass until after the shut-down hooks. ``port`` 0 takes a free one; ``address`` is the one
    to bind, empty for all of IPv6 and IPv4, since a probe comes from outside. A path that is None is
    switched off. Entering raises OSError where the port is taken, the constructor ConfigurationError
    for a path without a leading slash.
    """

    def __init__(
        self,
        host: ReportingHost,
        port: int = 8081,
        *,
        address: str = "",
        health: str | None = "/health",
        ready: str | None = "/readyz",
        live: str | None = "/livez",
        metrics: str | None = None,
        openapi: str | None = None,
    ):
        paths = Paths(health=health, ready=ready, live=live, metrics=metrics, openapi=openapi)
        self._endpoints = Endpoints(host, paths)
        self._address = address
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; before entering, the one that was asked for."""
        return self._port if self._server is None else self._server.server_address[1]

    def __enter__(self) -> Self:
        """Listen, and answer on a thread."""
        self._server = _Server(self._address, self._port, self._endpoints)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="corehost-health", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the port."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, address: str, port: int, endpoints: Endpoints):
        self.endpoints = endpoints
        self.address_family = socket.AF_INET6 if ":" in address or not address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            if address or error.errno not in _NO_IPV6:
                raise
            self.address_family = socket.AF_INET
            super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the address's name: it may wait for a DNS server."""
        if self.address_family == socket.AF_INET6:
            # The system's default may be either; "::" is to mean both, an address of its own only that.
            alone = self.server_address[0] not in ("", "::")
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with a connection, where the default prints it."""
        log.debug("a health request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "corehost"
    sys_version = ""
    timeout = 5  # a client that sends nothing must not keep its thread

    def _answer(self) -> None:
        request = Request(
            method=self.command,
            path=self.path.partition("?")[0],
            authorization=self.headers.get("Authorization"),
            accept=self.headers.get("Accept"),
        )
        answer = self.server.endpoints.answer(request) or not_found().to(self.command)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def __getattr__(self, name: str) -> Any:
        """The do_GET, do_POST and so on that the base class looks for: the endpoints know what they allow."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, message: str, *args: Any) -> None:
        """Keep probes out of standard error."""
        log.debug(message, *args)
