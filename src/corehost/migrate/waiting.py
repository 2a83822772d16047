"""What a pass does while others hold what it needs: says whom it waits for, ends who is stuck."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from corehost.core.errors import WaitTimedOut
from corehost.core.namespace import Namespace
from corehost.core.results import LockHolder
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.beacon import Beacon
from corehost.migrate.context import PassContext
from corehost.migrate.link import Link
from corehost.postgres.connect import Connection
from corehost.postgres.locks import holders, holders_and_progress, terminate
from corehost.readiness.pace import Pace

_log = logging.getLogger("corehost")

_WHOLE: Final = 10.0
"""Seconds of waiting after which the whole state is looked at again, whatever holders do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What a look has found of those who hold what is waited for."""

    keys: tuple[int, ...]
    held: Mapping[int, tuple[int, datetime | None]]
    progress: tuple[Any, ...] | None
    fingerprint: Any
    knows_instances: bool
    message: str


class Waiting:
    """Keeps account of who holds what across the looks of a waiting pass."""

    def __init__(self, pace: Pace, context: PassContext, beacon: Beacon):
        self._pace = pace
        self._beacon = beacon
        self._stop = context.stop
        self._graph = context.graph
        self._observer = context.observer
        self._timeout = context.settings.wait_timeout.total_seconds()
        self._stuck_after = context.settings.holder_idle_timeout.total_seconds()
        self._stuck_since: dict[tuple[int, str], float] = {}
        self._last: _Seen | None = None

    def look(self, connection: Connection | None, ready: Sequence[Node], state: DatabaseState) -> str:
        """See who holds the namespaces of what is ready, and tell; returns what is being waited for.

        Raises WaitTimedOut when nobody has made progress for ``wait_timeout``.
        """
        branches = {node: self._graph.trees[node.branch].branch for node in ready}
        schemas = {branch.namespace.lock_key: branch.namespace.schema for branch in branches.values()}
        found: Mapping[int, LockHolder] = {}
        progress = None
        if connection is not None and state.has_ledger:
            found, progress = holders_and_progress(connection, sorted(schemas))
        elif connection is not None:
            found = holders(connection, sorted(schemas))
        rests = {node: rest for node, branch in branches.items() if (rest := state.rest_of(branch))}
        seen = _Seen(
            keys=tuple(sorted(schemas)),
            held=_held(found),
            progress=progress,
            fingerprint=state.fingerprint(),
            knows_instances=state.knows_instances,
            message=_message(found, schemas, rests),
        )
        # Where a namespace is held shared, or what it depends on is held, only a try tells when it is free.
        is_told = progress is not None and len(found) == len(schemas)
        self._last = seen if is_told and not rests else None
        self._tell(connection, found, seen)
        return seen.message

    def rest(self, link: Link, wanted: Collection[Namespace]) -> None:
        """Let the connection go until a whole look is due, as somebody has got on, or after some seconds.

        In between one request on a connection of its own is enough to see who holds what. Raises
        WaitTimedOut as :meth:`look` does, and the error that the pass was asked to end with.
        """
        whole = time.monotonic() + _WHOLE
        while True:
            link.rest(wanted)
            self._pace.pause()
            self._stop.check()
            if link.announced is not None or time.monotonic() >= whole:
                return
            self._pace.look_begins()
            if not self._goes_on(link.open()):
                return

    def _goes_on(self, connection: Connection) -> bool:
        """Whether the same sessions still hold the same, and nobody has finished a step."""
        if (last := self._last) is None:
            return False
        found, progress = holders_and_progress(connection, last.keys)
        if (_held(found), progress) != (last.held, last.progress):
            return False
        self._tell(connection, found, last)
        return True

    def _tell(self, connection: Connection | None, found: Mapping[int, LockHolder], seen: _Seen) -> None:
        if connection is not None:
            self._end_stuck(connection, found)
        self._observer.waiting(seen.message)
        if seen.knows_instances:
            self._beacon.on_look(connection, {holder.pid for holder in found.values()})
        sinces = tuple(sorted((pid, since) for pid, since in seen.held.values() if since))
        self._pace.note((seen.fingerprint, sinces), active=any(holder.active for holder in found.values()))
        if self._pace.timed_out:
            raise WaitTimedOut(
                f"nobody has made progress for {self._timeout:g} s: {seen.message}",
                hint="look at that session, and end it if it is of no use",
            )

    def _end_stuck(self, connection: Connection, found: Mapping[int, LockHolder]) -> None:
        """End a holder whose client has stopped.

        No idle time-out does so in the middle of a message, nor where a revision has switched it off.
        """
        now = time.monotonic()
        stuck = {
            (holder.pid, holder.client_wait): holder
            for holder in found.values()
            if holder.client_wait is not None and holder.since is not None
        }
        self._stuck_since = {key: self._stuck_since.get(key, now) for key in stuck}
        for (pid, mark), since in self._stuck_since.items():
            if now - since >= self._stuck_after > 0:
                _log.warning(
                    "ending session %d (%s): its client has not answered for %g s",
                    pid,
                    stuck[pid, mark].application_name,
                    now - since,
                    extra={"event": "session.ended", "pid": pid},
                )
                terminate(connection, pid)


def _held(found: Mapping[int, LockHolder]) -> Mapping[int, tuple[int, datetime | None]]:
    return {key: (holder.pid, holder.since) for key, holder in found.items()}


def _message(found: Mapping[int, LockHolder], schemas: Mapping[int, str], rests: Mapping[Node, float]) -> str:
    parts = [
        f"namespace {schemas[key]!r}, held by pid {holder.pid} ({holder.application_name or 'no name'})"
        + (f" since {holder.since:%Y-%m-%dT%H:%M:%SZ}" if holder.since else "")
        for key, holder in sorted(found.items(), key=lambda item: schemas[item[0]])
    ]
    parts += [
        f"revision {node}, which has failed and is tried again in {rest:.0f} s"
        for node, rest in rests.items()
    ]
    return f"waiting for {'; '.join(parts)}" if parts else "waiting for a namespace that was just given back"
