"""Real web servers as processes of their own: uvicorn and gunicorn."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from support.processes import Finished, Process, Processes

TESTS = Path(__file__).parents[1]

Kind = Literal["uvicorn", "gunicorn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebServer:
    """One web server on the loopback."""

    name: str
    """``uvicorn 1``, for records."""
    port: int
    process: Process

    def get(self, path: str, *, seconds: float = 30.0) -> tuple[int, bytes]:
        """Status and body of a GET on a connection of its own; raises OSError or HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def stop(self) -> Finished:
        """SIGTERM, and wait for its end."""
        self.process.send(signal.SIGTERM)
        return self.process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def command(kind: Kind, target: str, port: int, *options: str) -> list[str]:
    """What starts a server for ``module:attribute``; gunicorn with two workers of four threads."""
    start = [sys.executable, "-m", kind, target]
    if kind == "uvicorn":
        return [*start, f"--port={port}", "--lifespan=on", "--no-access-log", "--log-level=warning", *options]
    return [*start, f"--bind=127.0.0.1:{port}", "--config=python:support.gunicorn_settings", *options]


def serve(
    processes: Processes,
    kind: Kind,
    number: int,
    *,
    target: str,
    database: str,
    path: Sequence[Path] = (),
    extra: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> WebServer:
    """Start one; it may listen at any time from now."""
    port = free_port()
    process = processes.start(
        command(kind, target, port, *options), database=database, path=[*path, TESTS], extra=extra
    )
    return WebServer(name=f"{kind} {number}", port=port, process=process)
