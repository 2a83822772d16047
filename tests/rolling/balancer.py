"""What stands before a Deployment: sends requests to the ready instances, as a Service and its mesh do."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .instance import Instance

READY = "ready"
_SILENT = "silent"
_PROBE_EVERY = 0.05
_PATIENCE = 30.0


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, place: Path, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._place))


def request(instance: Instance, method: str, path: str, *, timeout: float = _PATIENCE) -> tuple[int, Any]:
    """One request to one instance; raises OSError or HTTPException where there is no answer."""
    connection = _Connection(instance.socket, timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


class Balancer:
    """Knows which instances are ready, and how many requests each has in flight."""

    def __init__(self) -> None:
        self._known: dict[Instance, str] = {}
        self._in_flight: dict[Instance, int] = {}
        self.first_ready: dict[Instance, float] = {}
        """When an instance was first seen ready, by the clock of this machine."""
        self.seen: list[str] = []
        """Every change of what the probes said, for who looks into a schedule that failed."""
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def add(self, instance: Instance) -> None:
        """Begin to probe an instance."""
        with self._changed:
            self._known[instance] = _SILENT
            self._in_flight[instance] = 0

    def remove(self, instance: Instance) -> None:
        """Send it nothing more, and wait until what it has is answered."""
        with self._changed:
            if self._known.pop(instance, None) is not None:
                self.seen.append(f"{time.time():.3f} {instance.name}: removed")
            self._changed.wait_for(lambda: not self._in_flight[instance], _PATIENCE)

    def ready(self) -> list[Instance]:
        """The instances that are ready."""
        with self._changed:
            return [instance for instance, state in self._known.items() if state == READY]

    def state(self, instance: Instance) -> str:
        """What its last probe said: its state, or ``silent``."""
        with self._changed:
            return self._known.get(instance, _SILENT)

    @contextmanager
    def pick(self, chance: random.Random) -> Iterator[Instance | None]:
        """One of the ready ones, None where none is; it counts as busy for so long."""
        with self._changed:
            found = [instance for instance, state in self._known.items() if state == READY]
            instance = chance.choice(found) if found else None
            if instance is not None:
                self._in_flight[instance] += 1
        try:
            yield instance
        finally:
            if instance is not None:
                with self._changed:
                    self._in_flight[instance] -= 1
                    self._changed.notify_all()

    def drop(self, instance: Instance) -> None:
        """It does not answer: send it nothing until a probe finds it ready again."""
        with self._changed:
            if instance in self._known:
                self.seen.append(f"{time.time():.3f} {instance.name}: dropped")
                self._known[instance] = _SILENT

    def _probe(self) -> None:
        while not self._over.wait(_PROBE_EVERY):
            with self._changed:
                known = list(self._known)
            for instance in known:
                state, now = _readiness(instance), time.time()
                with self._changed:
                    if instance in self._known:
                        if self._known[instance] != state:
                            self.seen.append(f"{now:.3f} {instance.name}: {state}")
                        self._known[instance] = state
                    if state == READY:
                        self.first_ready.setdefault(instance, now)


def _readiness(instance: Instance) -> str:
    try:
        status, body = request(instance, "GET", "/readyz", timeout=2.0)
    except (OSError, http.client.HTTPException):
        return _SILENT
    return READY if status == 200 else str(body.get("state"))
