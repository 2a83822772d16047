"""Writes and reads what instances tell of themselves; nothing here may disturb a pass or a look."""

from __future__ import annotations

import json
import os
import socket
import uuid
from typing import Any, Final

import psycopg

from corehost.core.instances import STALE_AFTER, Instance
from corehost.core.rows import Rows
from corehost.postgres.connect import Connection, execute

# Neither a lock on the table nor a slow server is waited for: what is not written now is written next time.
_QUICKLY: Final = "SET LOCAL lock_timeout = '250ms'; SET LOCAL statement_timeout = '2s';"
_SWEEP: Final = f"""
DELETE FROM corehost.instance WHERE id IN (
  SELECT id FROM corehost.instance
  WHERE id = %(gone)s::uuid OR updated_at < clock_timestamp() - make_interval(secs => {STALE_AFTER})
  FOR UPDATE SKIP LOCKED
)"""
_WRITE: Final = """
INSERT INTO corehost.instance
  (id, host, pid, state, branch, revision, step, steps, rows_done, rows_total, message, backend_pid,
   branches, since, updated_at)
VALUES (%(id)s::uuid, %(host)s, %(pid)s, %(state)s, %(branch)s, %(revision)s, %(step)s, %(steps)s,
  %(rows_done)s, %(rows_total)s, %(message)s, %(backend_pid)s, %(branches)s::jsonb,
  clock_timestamp() - make_interval(secs => %(seconds)s), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET state = excluded.state, branch = excluded.branch,
  revision = excluded.revision, step = excluded.step, steps = excluded.steps,
  rows_done = excluded.rows_done, rows_total = excluded.rows_total, message = excluded.message,
  backend_pid = excluded.backend_pid, since = excluded.since, updated_at = excluded.updated_at
"""
_READ: Final = f"""
SELECT id, host, pid, state, branch, revision, step, steps, rows_done, rows_total, message, backend_pid,
  branches::text AS branches, extract(epoch FROM clock_timestamp() - since)::float8 AS seconds,
  since, updated_at
FROM corehost.instance
WHERE updated_at >= clock_timestamp() - make_interval(secs => {STALE_AFTER})
ORDER BY host, pid, id
"""


def this_process(**told: Any) -> Instance:
    """An instance with this process's host and id."""
    return Instance(host=socket.gethostname(), pid=os.getpid(), **told)


def write_instance(connection: Connection, instance: Instance) -> None:
    """Say how an instance stands, and sweep what nobody tells any more; one round trip.

    Raises psycopg's errors.
    """
    rows = instance.rows
    values = {
        "id": str(instance.id),
        "host": instance.host,
        "pid": instance.pid,
        "state": instance.state,
        "branch": instance.branch,
        "revision": instance.revision,
        "step": instance.step,
        "steps": instance.steps,
        "rows_done": None if rows is None else rows.done,
        "rows_total": None if rows is None else rows.total,
        "message": instance.message,
        "backend_pid": instance.backend_pid,
        "branches": json.dumps(dict(instance.branches)),
        "seconds": instance.seconds,
        "gone": None,
    }
    execute(connection, f"{_QUICKLY}{_SWEEP};{_WRITE}", values)


def remove_instance(connection: Connection, instance: uuid.UUID) -> None:
    """Say nothing of an instance any more. Raises psycopg's errors."""
    execute(connection, f"{_QUICKLY}{_SWEEP}", {"gone": str(instance)})


def read_instances(connection: Connection) -> tuple[Instance, ...]:
    """The instances that say they wait, or run a step, sorted by host and process.

    Nobody where the role may not read them, or where another version of corehost has made the table.
    """
    try:
        found = execute(connection, _READ).fetchall()
    except psycopg.ProgrammingError:
        return ()
    return tuple(
        Instance(
            id=row[0],
            host=row[1],
            pid=row[2],
            state=row[3],
            branch=row[4],
            revision=row[5],
            step=row[6],
            steps=row[7],
            rows=None if row[8] is None else Rows(done=row[8], total=row[9]),
            message=row[10],
            backend_pid=row[11],
            branches=json.loads(row[12]),
            seconds=max(row[13], 0.0),
            since=row[14],
            updated_at=row[15],
        )
        for row in found
    )
