"""The console on a port of its own, by the standard library's server."""

from __future__ import annotations

import ipaddress
import logging
import socket
import socketserver
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote

from corehost.console.app import STREAMING, Asked, Console, busy, text_answer
from corehost.console.blocking import follow, read_page
from corehost.console.feed import TooManyViews
from corehost.console.sight import ConsoleHost
from corehost.http.answers import Answer, Request

log = logging.getLogger("corehost")

_STREAMS: Final = 20
_CONNECTIONS: Final = 64
"""So many are answered at once; one more is closed."""


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address; ``localhost`` counts as such."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class ConsoleServer(ThreadingHTTPServer):
    """Listens as soon as it is made; raises OSError where it cannot. ``serve_forever`` serves."""

    request_queue_size = 64

    def __init__(self, host: ConsoleHost, address: str, port: int):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.console = Console(host)
        # Without a token whoever reaches the port may look. A page of somebody else's, whose name was made
        # to lead to this machine, would reach it from a browser here: it is told by the name it asks for.
        self.local_names_only = not self.console.limited and is_loopback(address)
        self.streams = threading.BoundedSemaphore(_STREAMS)
        self._connections = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__((address, port), _Handler)

    @property
    def url(self) -> str:
        """Where it is to be found."""
        address, port = str(self.server_address[0]), self.server_address[1]
        return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the address's name: it may wait for a DNS server."""
        socketserver.TCPServer.server_bind(self)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is a thread for one more."""
        return self._connections.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with a connection, where the default prints it: mostly a browser that left."""
        log.debug("a request of the console failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: ConsoleServer
    server_version = "corehost"
    sys_version = ""
    timeout = 10  # a client that sends nothing, or takes nothing, must not keep its thread

    def _serve(self) -> None:
        if self.server.local_names_only and not is_loopback(_name(self.headers.get("Host", ""))):
            told = "ask for localhost, or give the console a token"
            self._respond(text_answer(HTTPStatus.MISDIRECTED_REQUEST, told))
            return
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=unquote(path),
            query=query,
            authorization=self.headers.get("Authorization"),
            last_event_id=self.headers.get("Last-Event-ID"),
        )
        found = self.server.console.answer(request)
        if isinstance(found, Answer):
            self._respond(found)
        elif found.live and not found.head:
            self._stream(found)
        else:
            self._respond(read_page(self.server.console, found))

    def _respond(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _stream(self, asked: Asked) -> None:
        lasting = self.server.streams.acquire(blocking=False)
        try:
            chunks = follow(self.server.console, asked, lasting=lasting)
            try:
                first = next(chunks)
            except TooManyViews:
                self._respond(busy())
                return
            self.send_response(HTTPStatus.OK)
            for name, value in STREAMING:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(first)
            for chunk in chunks:
                self.wfile.write(chunk)
        finally:
            if lasting:
                self.server.streams.release()

    def __getattr__(self, name: str) -> Any:
        """The do_GET, do_POST and so on that the base class looks for: the console knows what it allows."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, message: str, *args: Any) -> None:
        """Keep requests out of standard error."""
        log.debug(message, *args)


def _name(host: str) -> str:
    """The name or address of a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
