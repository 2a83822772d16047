"""The processes of one phase: started together, listened to, asked over HTTP, ended."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from corehost.core.errors import CorehostError
from corehost.demo.event import Event

_PATIENCE = 30.0
"""Seconds for an answer over HTTP, and for an instance to end once it is dismissed."""


class DemoFailed(CorehostError):
    """The demo did not go as it should."""

    code = "demo"


class Fleet:
    """Instances 1 to ``count``; whatever of them still runs at the end of the block is killed."""

    def __init__(self, count: int, *, environment: Mapping[str, str], folder: Path):
        self._environment = environment
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._unread: dict[int, bytes] = {}
        self._count = count
        self.began = 0.0
        """When the first process was started, in seconds since the epoch."""

    def __enter__(self) -> Self:
        """Start all; they wait for :meth:`go`."""
        self._folder.mkdir()
        self.began = time.time()
        try:
            for number in range(1, self._count + 1):
                self._start(number)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    @property
    def numbers(self) -> Mapping[int, int]:
        """Process id -> which instance it is."""
        return {process.pid: number for number, process in self._processes.items()}

    def go(self) -> None:
        """Let all begin their pass."""
        for number, process in self._processes.items():
            assert process.stdin is not None
            try:
                process.stdin.write(b"go\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise self._ended(number) from None

    def events(self, *, seconds: float) -> Sequence[tuple[int, Event]]:
        """What is told, by which instance, in order of time; returns as soon as anybody tells something.

        Raises DemoFailed where an instance has failed, or ended.
        """
        told: list[tuple[int, Event]] = []
        for key, _ in self._selector.select(seconds):
            received = os.read(key.fd, 65536)
            if not received:
                raise self._ended(key.data)
            *lines, self._unread[key.data] = (self._unread[key.data] + received).split(b"\n")
            told += [(key.data, Event.read(line)) for line in lines]
        for number, event in told:
            if event.kind == "failed":
                raise DemoFailed(f"instance {number} failed: {event.message}")
        return sorted(told, key=lambda one: one[1].at)

    def ask(self, number: int, port: int) -> int:
        """The status of the instance's /readyz, 200 or 503.

        Raises DemoFailed where it does not answer, or something else.
        """
        connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
        except ConnectionError:
            raise self._ended(number) from None
        except (OSError, HTTPException) as error:
            raise DemoFailed(
                f"instance {number} does not answer /readyz: {error}{self._said(number)}"
            ) from None
        finally:
            connection.close()
        if answer.status not in (200, 503):
            raise DemoFailed(f"instance {number}: /readyz says {answer.status}{self._said(number)}")
        return answer.status

    def dismiss(self) -> None:
        """Let all end, and wait for it. Raises DemoFailed where one does not, or ends with an error."""
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.close()
        deadline = time.monotonic() + _PATIENCE
        for number, process in self._processes.items():
            try:
                code = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise DemoFailed(f"instance {number} does not end{self._said(number)}") from None
            if code:
                raise self._ended(number)

    def _start(self, number: int) -> None:
        with self._log(number).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "corehost.demo.instance"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._folder,  # a corehost.toml of the present folder is none of the demo's
                env=dict(self._environment),
                process_group=0,  # Ctrl-C is for the parent, which ends them
            )
        assert process.stdout is not None
        self._processes[number], self._unread[number] = process, b""
        self._selector.register(process.stdout, selectors.EVENT_READ, number)

    def _end(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what could not be written to one that is gone
                    if pipe is not None:
                        pipe.close()
        self._selector.close()

    def _ended(self, number: int) -> DemoFailed:
        """What to raise where an instance does not hold its end of a pipe or its port any more."""
        try:
            code = self._processes[number].wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return DemoFailed(f"instance {number} does not answer any more{self._said(number)}")
        return DemoFailed(f"instance {number} ended with code {code}{self._said(number)}")

    def _said(self, number: int) -> str:
        """The last lines of its standard error, each on a new line."""
        lines = self._log(number).read_text(errors="replace").strip().splitlines()
        return "".join(f"\n  {line}" for line in lines[-8:])

    def _log(self, number: int) -> Path:
        return self._folder / f"{number}.log"


def environment(database_url: str, *, first: Path | None = None) -> Mapping[str, str]:
    """This process's environment for an instance: another database, nothing else that configures corehost.

    ``first`` is a folder to import from before all others.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith(("COREHOST_", "PG"))
    }
    path = [os.path.abspath(folder) for folder in kept.pop("PYTHONPATH", "").split(os.pathsep) if folder]
    if first is not None:
        path.insert(0, str(first))
    if path:
        kept["PYTHONPATH"] = os.pathsep.join(path)
    return {**kept, "COREHOST_DATABASE_URL": database_url, "COREHOST_WAIT_TIMEOUT": "3min"}
