"""What a pass does while others hold what it needs: says whom it waits for, ends who is stuck."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from corehost.core.errors import WaitTimedOut
from corehost.core.results import LockHolder
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.beacon import Beacon
from corehost.migrate.context import PassContext
from corehost.postgres.connect import Connection
from corehost.postgres.locks import holders, terminate
from corehost.readiness.pace import Pace

_log = logging.getLogger("corehost")


class Waiting:
    """Keeps account of who holds what across the looks of a waiting pass."""

    def __init__(self, pace: Pace, context: PassContext, beacon: Beacon):
        self._pace = pace
        self._beacon = beacon
        self._graph = context.graph
        self._observer = context.observer
        self._timeout = context.settings.wait_timeout.total_seconds()
        self._stuck_after = context.settings.holder_idle_timeout.total_seconds()
        self._stuck_since: dict[tuple[int, str], float] = {}

    def look(self, connection: Connection | None, ready: Sequence[Node], state: DatabaseState) -> str:
        """See who holds the namespaces of what is ready, and tell; returns what is being waited for.

        Raises WaitTimedOut when nobody has made progress for ``wait_timeout``.
        """
        branches = {node: self._graph.trees[node.branch].branch for node in ready}
        schemas = {branch.namespace.lock_key: branch.namespace.schema for branch in branches.values()}
        found = holders(connection, sorted(schemas)) if connection is not None else {}
        if connection is not None:
            self._end_stuck(connection, found)
        rests = {node: rest for node, branch in branches.items() if (rest := state.rest_of(branch))}
        message = _message(found, schemas, rests)
        self._observer.waiting(message)
        if state.knows_instances:
            self._beacon.on_look(connection, {holder.pid for holder in found.values()})
        sinces = tuple(sorted((h.pid, h.since) for h in found.values() if h.since))
        self._pace.note((state.fingerprint(), sinces), active=any(holder.active for holder in found.values()))
        if self._pace.timed_out:
            raise WaitTimedOut(
                f"nobody has made progress for {self._timeout:g} s: {message}",
                hint="look at that session, and end it if it is of no use",
            )
        return message

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
