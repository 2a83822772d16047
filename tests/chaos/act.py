"""The instances of a round, and everything bad that is done to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from support.forked import Instance
from support.pooler import Pooler
from support.processes import Process, Processes
from support.wire import Wire

from .oracle import Ended
from .plan import Fault, Member

SETTINGS: Mapping[str, Any] = {
    "wait_timeout": "40s",
    "holder_idle_timeout": "2s",
    "lock_timeout": "300ms",
    "shutdown_grace": "500ms",
}
"""Of every instance: who hangs is cut off long before others give up."""
_BACKENDS = """
SELECT pid FROM pg_stat_activity a
WHERE datname = current_database() AND application_name LIKE 'corehost%'
ORDER BY NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory'), pid"""
_HOLDERS = """
SELECT DISTINCT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE datname = current_database() AND locktype = 'advisory' AND application_name LIKE 'corehost%'
ORDER BY 1"""
_TABLES = r"""
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname !~ '^pg_|^information_schema$' AND tablename LIKE 't\_%' ORDER BY 1, 2"""


class Running:
    """One started instance, forked or a process of its own, and its way to the server."""

    def __init__(self, name: str, member: Member, *, older: bool):
        self.name = name
        self.member = member
        self._older = older
        self.hit: set[str] = set()
        """What was done to it that ends it."""
        self.stopped = False
        """Whether it is stopped."""
        self.wire: Wire | None = None
        """The proxy between it and the server."""
        self._handle: Instance | Process | None = None

    def start(self, url: str, site: Path, processes: Processes, stack: ExitStack) -> None:
        """Start it; what it needs is closed with the stack."""
        if self.member.route == "wire":
            self.wire = stack.enter_context(
                Wire(
                    url, stop_at=self.member.stop_at, moment=self.member.moment, on_stop=self._at_its_request
                )
            )
            url = self.wire.url
        if self.member.process:
            extra = {f"COREHOST_{name.upper()}": str(value) for name, value in SETTINGS.items()}
            self._handle = processes.corehost("migrate", "--json", database=url, path=[site], extra=extra)
        else:
            self._handle = Instance(url, path=site, settings=SETTINGS)
            stack.callback(self._handle.close)

    @property
    def pid(self) -> int | None:
        """Its process id, where it was started."""
        return self._handle.pid if self._handle is not None else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._handle is not None and self._handle.running

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, where it runs."""
        if self._handle is None or not self.running:
            return
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.hit.add("kill" if number == signal.SIGKILL else "term")
        self.stopped = (self.stopped or number == signal.SIGSTOP) and number != signal.SIGCONT
        os.kill(self._handle.pid, number)

    def _at_its_request(self) -> None:
        if self.member.deed == "kill" and self._handle is not None:
            self.hit.add("kill")
            os.kill(self._handle.pid, signal.SIGKILL)

    def ended(self, seconds: float) -> Ended:
        """Wait for its end, so many seconds at most, and tell how it was."""
        code, error, applied = self._wait(seconds)
        return Ended(
            name=self.name,
            code=code,
            error=error,
            applied=applied,
            hit=tuple(sorted(self.hit)),  # it may have been hit while it was waited for
            older=self._older,
        )

    def _wait(self, seconds: float) -> tuple[int | None, str, tuple[str, ...]]:
        if isinstance(self._handle, Instance):
            code = self._handle.wait(max(seconds, 0.0))
            outcome = self._handle.outcome() if code is not None else {}
            return code, outcome.get("error") or "", tuple(outcome.get("applied", ()))
        assert self._handle is not None
        try:
            finished = self._handle.wait(max(seconds, 0.0))
        except AssertionError as late:
            return None, str(late)[-2000:], ()
        document: dict[str, Any] = {}
        with contextlib.suppress(ValueError):
            document = json.loads(finished.stdout)
        error = (document.get("error") or {}).get("message") or finished.stderr[-2000:]
        applied = tuple(f"{step['branch']}@{step['revision']}" for step in document.get("applied", ()))
        return finished.returncode, error if finished.returncode else "", applied


class Faults:
    """Does what a round's faults say; :meth:`end` takes back what lasts."""

    def __init__(self, url: str, fleet: Mapping[int, Running], pooler: Pooler | None):
        self._url = url
        self._fleet = fleet
        self._pooler = pooler
        self._readers: list[psycopg.Connection[Any]] = []
        self.done: list[str] = []
        """What was really done: a fault may come when there is nobody left to meet it."""

    def await_work(self) -> None:
        """Wait until somebody holds a lock, a few seconds at most: earlier there is little to disturb."""
        deadline = time.monotonic() + 3
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not connection.execute(_HOLDERS).fetchone() and time.monotonic() < deadline:
                time.sleep(0.02)

    def begin(self, fault: Fault) -> Callable[[], None] | None:
        """Do it; returns what ends it where it lasts for a while."""
        target = self._fleet[fault.member] if fault.member is not None else None
        if fault.deed in ("kill", "term", "stop") and target is None:
            target = self._holder(fault)
            if target is None:
                return None
        if target is not None and not target.running:
            return None
        undo: Callable[[], None] | None = None
        match fault.deed:
            case "kill" | "term" | "stop":
                assert target is not None
                number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}[fault.deed]
                target.send(number)
                undo = (lambda: target.send(signal.SIGCONT)) if fault.deed == "stop" else None
            case "cut":
                assert target is not None
                assert target.wire is not None
                target.wire.cut()
            case "swallow":
                assert target is not None
                assert target.wire is not None
                target.wire.swallow()
                undo = target.wire.heal
            case "restart":
                assert self._pooler is not None
                self._pooler.restart()
            case "terminate" | "cancel":
                if not self._backend(fault):
                    return None
            case "read":
                undo = self._read(fault)
        self.done.append(fault.deed)
        return undo if fault.seconds is not None else None

    def end(self) -> None:
        """The faults stop: who is stopped for good is killed, a black hole's connections break."""
        for reader in self._readers:
            reader.close()
        for running in self._fleet.values():
            if running.wire is not None:
                with contextlib.suppress(OSError):
                    running.wire.cut()
                running.wire.heal()
            if running.stopped:
                running.send(signal.SIGKILL)

    def _holder(self, fault: Fault) -> Running | None:
        """One of those that hold a lock just now: by their sessions' names, which tell their pids."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            names = [str(row[0]) for row in connection.execute(_HOLDERS)]
        if not names:
            return None
        pid = int(names[int(fault.pick * len(names))].split()[1].rpartition(":")[2])
        return next((running for running in self._fleet.values() if running.pid == pid), None)

    def _backend(self, fault: Fault) -> bool:
        with psycopg.connect(self._url, autocommit=True) as connection:
            pids = [row[0] for row in connection.execute(_BACKENDS)]
            if not pids:
                return False
            # those with locks come first, and are the more interesting ones
            pid = pids[int(fault.pick**3 * len(pids))]
            connection.execute(f"SELECT pg_{fault.deed}_backend(%s)", (pid,))
        return True

    def _read(self, fault: Fault) -> Callable[[], None]:
        """Lock a table, and keep a snapshot, as a long SELECT does."""
        reader = psycopg.connect(self._url)
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._readers.append(reader)
        tables = reader.execute(_TABLES).fetchall()
        if tables:  # the snapshot alone keeps a concurrent index waiting
            name = sql.Identifier(*tables[int(fault.pick * len(tables))])
            with contextlib.suppress(psycopg.Error), reader.transaction():
                reader.execute("SET lock_timeout = '100ms'")
                reader.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(name))
        return reader.close
