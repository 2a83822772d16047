"""A proxy on the wire between one instance and the server: sees every request, and can stop at any.

Reads just enough of PostgreSQL's protocol to know where a request ends and when it is answered.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Moment = Literal["before", "half", "during", "after"]


@dataclass(frozen=True)
class Request:
    """One request: what is answered by one ReadyForQuery."""

    number: int
    """Its place among all requests of the instance, from 0."""
    text: str
    """The SQL, shortened; of an extended request the parsed statement."""


class Wire:
    """Listens on a Unix socket and forwards to the server's; ``stop_at`` cuts the instance off there.

    At the request with that number, or the first one with that text, ``on_stop`` is called: before it is
    forwarded, when a half of it was, right after it was (while the server works on it), or when it has
    been answered and the answer is not yet passed on. Then both sides are closed. With ``hold`` that
    connection is a black hole from there on, others are served, and once ``resume`` is set all that was
    held back is passed on.
    """

    def __init__(
        self,
        url: str,
        *,
        stop_at: int | str | None = None,
        hold: bool = False,
        moment: Moment = "before",
        on_stop: Callable[[], object] = lambda: None,
    ):
        self._target = conninfo_to_dict(url)
        self._stop_at = stop_at
        self._hold = hold
        self.resume = threading.Event()
        """Ends the hold."""
        self._moment = moment
        self.on_stop = on_stop
        """What is called then."""
        self._directory = tempfile.mkdtemp(prefix="wire", dir="/tmp")
        self._listener = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        """Every request seen, over all connections, in order."""
        self.stopped = threading.Event()
        """Set when the instance was cut off."""
        self._open = threading.Event()
        self._open.set()
        self._streams: set[socket.socket] = set()

    def cut(self) -> None:
        """Close every connection that there is now; new ones are served."""
        with self._lock:
            streams = list(self._streams)
        for end in streams:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def swallow(self) -> None:
        """Be a black hole until :meth:`heal`: nothing passes, not even that the other side is gone."""
        self._open.clear()

    def heal(self) -> None:
        """Let pass again what was held up, and the ends of connections too."""
        self._open.set()

    def __enter__(self) -> Self:
        path = Path(self._directory, f".s.PGSQL.{self._target.get('port') or 5432}")
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave its thread in accept()
        self._listener.close()
        self.resume.set()
        self.stopped.set()
        self.cut()
        self.heal()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """The server's conninfo, by way of this proxy."""
        return make_conninfo(**{**self._target, "host": self._directory})

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(
            os.path.join(str(self._target["host"]), f".s.PGSQL.{self._target.get('port') or 5432}")
        )
        with self._lock:
            self._streams |= {client, server}
        with contextlib.suppress(OSError, EOFError), client, server:
            try:
                head = _exactly(client, 4)
                self._open.wait()
                server.sendall(head + _exactly(client, struct.unpack("!I", head)[0] - 4))
                held, frozen = threading.Event(), threading.Event()
                arguments = (server, client, held, frozen)
                answers = threading.Thread(target=self._answers, args=arguments, daemon=True)
                answers.start()
                self._questions(client, server, held, frozen)
            finally:
                self._open.wait()
                with self._lock:
                    self._streams -= {client, server}

    def _questions(
        self, client: socket.socket, server: socket.socket, held: threading.Event, frozen: threading.Event
    ) -> None:
        unit, text = b"", ""
        while True:
            kind, message = _message(client)
            unit += message
            if kind in b"QP":
                text = message[5:].replace(b"\0", b" ").decode(errors="replace")
            if kind not in b"QS":
                if kind in b"pX":  # passwords, and good-bye, belong to no request
                    self._open.wait()
                    server.sendall(unit)
                    unit = b""
                continue
            self._open.wait()
            with self._lock:
                request = Request(len(self.requests), " ".join(text.split())[:120])
                self.requests.append(request)
            rest, unit = unit, b""
            if self._is_the_one(request):
                if self._moment == "half":
                    server.sendall(rest[: len(rest) // 2])
                    rest = rest[len(rest) // 2 :]
                if self._moment in ("before", "half"):
                    self._stop(client, server, frozen)
                    self._open.wait()
                if self._moment == "after":
                    held.set()
                server.sendall(rest)
                if self._moment == "during":
                    self._stop(client, server, frozen)
                self.stopped.wait()
                continue
            server.sendall(rest)

    def _is_the_one(self, request: Request) -> bool:
        if self.stopped.is_set() or self._stop_at is None:
            return False
        if isinstance(self._stop_at, int):
            return request.number == self._stop_at
        return self._stop_at in request.text

    def _answers(
        self, server: socket.socket, client: socket.socket, held: threading.Event, frozen: threading.Event
    ) -> None:
        with contextlib.suppress(OSError, EOFError):
            kept = b""
            while True:
                kind, message = _message(server)
                self._open.wait()
                if frozen.is_set():
                    self.resume.wait()
                kept += message
                if held.is_set():
                    if kind != b"Z":
                        continue
                    self._stop(client, server, frozen)
                    held.clear()
                client.sendall(kept)
                kept = b""
        if frozen.is_set():
            self.resume.wait()
        self._open.wait()
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _stop(self, client: socket.socket, server: socket.socket, frozen: threading.Event) -> None:
        if self._hold:
            frozen.set()
        self.on_stop()
        if self._hold:
            self.stopped.set()
            self.resume.wait()
            return
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.stopped.set()


def _message(stream: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(stream, 5)
    return head[:1], head + _exactly(stream, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = stream.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found
