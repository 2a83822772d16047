"""Clients that write and read through all live instances, and keep count of what was answered."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import quote

from .balancer import Balancer, request

_PAUSE = 0.01
_TRIES = 20
"""A request that got no answer goes to another instance, so often; each is safe to send twice."""


@dataclass(kw_only=True)
class Tally:
    """What the clients have seen."""

    writes: int = 0
    """Writes that were answered with success."""
    reads: int = 0
    """Reads that were."""
    resent: int = 0
    """Requests that got no answer from an instance that was killed, and were sent to another."""
    failed: list[str] = field(default_factory=list)
    """Requests that were answered with an error, or by nobody."""
    wrong: list[str] = field(default_factory=list)
    """Reads that did not show what had been written."""
    written: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Customer -> what was written last and acknowledged."""


class Clients:
    """Some threads, each with customers of its own, until the end of the block."""

    def __init__(self, balancer: Balancer, seed: str, *, number: int = 2):
        self._balancer = balancer
        self.tally = Tally()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(f"k{n}", random.Random(f"{seed}/{n}")), daemon=True)
            for n in range(number)
        ]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def check_all(self) -> None:
        """Read everything that was written once more."""
        chance = random.Random(0)
        for customer in self.tally.written:
            self._read(customer, chance)

    def _run(self, prefix: str, chance: random.Random) -> None:
        number = 0
        while not self._over.wait(_PAUSE * chance.uniform(0.5, 1.5)):
            if number and chance.random() < 0.5:
                self._read(f"{prefix}-{chance.randrange(number)}", chance)
            elif number and chance.random() < 0.4:
                self._write(f"{prefix}-{chance.randrange(number)}", chance)
            else:
                self._write(f"{prefix}-{number}", chance)
                number += 1

    def _write(self, customer: str, chance: random.Random) -> None:
        value = (f"name {chance.randrange(10**6)}", chance.randrange(10**6))
        path = f"/customers/{customer}?{quote(value[0])}&{value[1]}"
        self.tally.written.pop(customer, None)  # what is not acknowledged may be there, or not
        if self._send("PUT", path, chance) is not None:
            self.tally.written[customer] = value
            with self._lock:
                self.tally.writes += 1

    def _read(self, customer: str, chance: random.Random) -> None:
        expected = self.tally.written.get(customer)
        answer = self._send("GET", f"/customers/{customer}", chance) if expected else None
        if answer is not None and expected is not None:
            with self._lock:
                self.tally.reads += 1
                if (answer[1].get("name"), answer[1].get("points")) != expected:
                    self.tally.wrong.append(f"{customer}: {answer[1]} by {answer[0]}, not {expected}")

    def _send(self, method: str, path: str, chance: random.Random) -> tuple[str, dict[str, object]] | None:
        for _ in range(_TRIES):
            with self._balancer.pick(chance) as instance:
                if instance is None:
                    break
                try:
                    status, body = request(instance, method, path)
                except (OSError, http.client.HTTPException):
                    self._balancer.drop(instance)
                    with self._lock:
                        self.tally.resent += 1
                    continue
            if status == 200:
                return instance.name, body
            self._fail(f"{method} {path}: {status} {body} by {instance.name}")
            return None
        self._fail(f"{method} {path}: no instance answers")
        return None

    def _fail(self, text: str) -> None:
        with self._lock:
            self.tally.failed.append(f"{time.time():.3f} {text}")
