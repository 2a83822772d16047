"""What a client can tell of a Kubernetes Service: its endpoints, and a rolling update of its pods."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from support.hammer import APPLICATION, READY, Answer, ask
from support.processes import wait_until
from support.web_servers import WebServer

PROBE_PERIOD = 0.1
"""Seconds between two readiness probes of one server."""
PRE_STOP = 0.5
"""Seconds between a server's leaving the Service and its SIGTERM: what a preStop hook sleeps."""


class Service:
    """Sends each request to the next of the servers whose last readiness probe said 200.

    While the block runs, the probes and the load do: so many clients, one request after the other.
    """

    def __init__(self, servers: Sequence[WebServer], *, clients: int):
        self._servers = list(servers)
        self._ready: dict[str, WebServer] = {}
        self._turn = itertools.count()
        self._stop = threading.Event()
        self._answers: list[list[Answer]] = [[] for _ in range(clients)]
        self._threads = [threading.Thread(target=self._probe)]
        self._threads += [threading.Thread(target=self._send, args=(mine,)) for mine in self._answers]

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
        """What the clients were answered."""
        return [answer for mine in self._answers for answer in tuple(mine)]

    def endpoints(self) -> list[str]:
        """The names of the servers that requests go to now."""
        return list(self._ready)

    def add(self, server: WebServer) -> None:
        """Probe a server, and send it requests once it is ready."""
        self._servers.append(server)

    def remove(self, server: WebServer) -> None:
        """Send a server no more requests; those that it has may still be running."""
        self._servers.remove(server)
        self._ready.pop(server.name, None)

    def _probe(self) -> None:
        while not self._stop.wait(PROBE_PERIOD):
            for server in tuple(self._servers):
                ready = ask(server, READY).status == 200
                if not ready:
                    self._ready.pop(server.name, None)
                elif server in self._servers:  # it may have left meanwhile
                    self._ready[server.name] = server

    def _send(self, mine: list[Answer]) -> None:
        while not self._stop.is_set():
            ready = list(self._ready.values())
            if not ready:
                self._stop.wait(0.01)
                continue
            mine.append(ask(ready[next(self._turn) % len(ready)], APPLICATION))


def roll(service: Service, old: Sequence[WebServer], starts: Sequence[Callable[[], WebServer]]) -> None:
    """Replace one server after the other: a new one is ready before an old one goes (maxUnavailable 0)."""
    for leaving, start in zip(old, starts, strict=True):
        coming = start()
        service.add(coming)
        wait_until(lambda name=coming.name: name in service.endpoints())  # type: ignore[misc]
        service.remove(leaving)
        time.sleep(PRE_STOP)
        leaving.stop()
