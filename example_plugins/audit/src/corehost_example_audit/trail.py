"""What was seen: in memory first, in the table once there is one."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import corehost
from corehost_example_audit import actor

if TYPE_CHECKING:
    from corehost import Host

log = logging.getLogger("corehost_example_audit")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One row of the trail."""

    kind: str
    branch: str | None = None
    revision: str | None = None
    detail: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    actor: str = field(default_factory=actor.name)


_seen: deque[Event] = deque(maxlen=1000)  # a host that never starts must not grow for ever


def note(
    kind: str, *, branch: str | None = None, revision: str | None = None, detail: str | None = None
) -> None:
    """Log an event, and keep it for the table."""
    event = Event(kind=kind, branch=branch, revision=revision, detail=detail)
    said = [str(part) for part in (kind, branch, revision, detail) if part is not None]
    log.info(" ".join(said), extra={"event": kind, "branch": branch, "revision": revision})
    _seen.append(event)


def write(host: Host) -> None:
    """Write what was seen; where the database cannot take it now, keep it and say so in the log."""
    import psycopg  # 150 ms, and corehost imports this module at discovery

    events = [_seen.popleft() for _ in range(len(_seen))]
    rows = [(e.at, e.kind, e.branch, e.revision, e.detail, e.actor) for e in events]
    try:
        with host.connector.open() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO audit.events (at, kind, branch, revision, detail, actor)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                rows,
            )
    except (psycopg.Error, corehost.CorehostError) as error:
        _seen.extendleft(reversed(events))
        log.warning("the trail is not written yet: %s", type(error).__name__)
