"""Reads the state of all branches without any lock, in two round trips however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from corehost.core.branch import Branch
from corehost.core.lineage import Recorded
from corehost.core.namespace import LEDGER, Namespace
from corehost.core.state import DatabaseState, LedgerBranch, OpenStep
from corehost.postgres import sql
from corehost.postgres.batches import begun_loops
from corehost.postgres.connect import Connection, execute
from corehost.postgres.unions import read_union

_LEDGER_TABLES = ("branch", "step")
_RELEASES = "release_branch"
_INSTANCES = "instance"
_BATCHES = "batch"


def read_state(connection: Connection, branches: Iterable[Branch]) -> DatabaseState:
    """The rows of every branch's version table, and what the ledger says; in one snapshot up to 30 branches.

    Works for a role that may only read, on a standby, and through a pooler. Two round trips.
    """
    wanted = list(branches)
    for attempt in (1, 2):
        existing = _existing(connection, wanted)
        try:
            return _read(connection, wanted, existing)
        except psycopg.errors.UndefinedTable:
            if attempt == 2:  # a table was dropped between the two round trips, twice
                raise
    raise AssertionError


def _existing(connection: Connection, branches: Sequence[Branch]) -> set[tuple[str, str]]:
    names = [(b.namespace.schema, b.namespace.version_table) for b in branches]
    names += [(LEDGER, table) for table in (*_LEDGER_TABLES, _RELEASES, _INSTANCES, _BATCHES)]
    cursor = execute(connection, sql.EXISTING_TABLES, ([n[0] for n in names], [n[1] for n in names]))
    return {(schema, table) for schema, table in cursor}


def _read(
    connection: Connection, branches: Sequence[Branch], existing: set[tuple[str, str]]
) -> DatabaseState:
    parts = []
    has_ledger = all((LEDGER, table) in existing for table in _LEDGER_TABLES)
    if has_ledger:
        parts += [sql.LEDGER_BRANCHES, sql.OPEN_STEPS]
    without_table = set()
    for place, branch in enumerate(branches):
        namespace = branch.namespace
        if (namespace.schema, namespace.version_table) in existing:
            parts.append(sql.ROWS_OF.format(place=place, table=sql.version_table(namespace)))
        else:
            without_table.add(branch.name)
    rows: dict[str, list[str]] = {branch.name: [] for branch in branches}
    ledger: dict[Namespace, LedgerBranch] = {}
    open_steps: dict[Namespace, OpenStep] = {}
    # What the ledger says comes first: a version table may be ahead of it, which means nothing, never behind.
    for place, value in read_union(connection, parts, first=2 if has_ledger else 0):
        if place >= 0:
            rows[branches[place].name].append(value)
        elif place == -1:
            known = _ledger_branch(json.loads(value))
            ledger[known.namespace] = known
        else:
            attempt = _open_step(json.loads(value))
            known_attempt = open_steps.get(attempt.namespace)
            if known_attempt is None or _weight(attempt) > _weight(known_attempt):
                open_steps[attempt.namespace] = attempt
    # A third round trip only where such a step has failed, was cut short, or runs.
    cut = {step.namespace for step in open_steps.values() if step.contracts and not step.partial}
    begun = begun_loops(connection) if cut and (LEDGER, _BATCHES) in existing else frozenset()
    return DatabaseState(
        rows={name: tuple(sorted(found)) for name, found in rows.items()},
        without_table=frozenset(without_table),
        has_ledger=has_ledger,
        knows_releases=has_ledger and (LEDGER, _RELEASES) in existing,
        knows_instances=has_ledger and (LEDGER, _INSTANCES) in existing,
        ledger=ledger,
        open_steps=open_steps,
        half_done=frozenset(
            place for place in cut if (place.schema, place.version_table, open_steps[place].revision) in begun
        ),
    )


def _weight(attempt: OpenStep) -> tuple[bool, int]:
    """A partial attempt matters more than a later one that left nothing behind."""
    return attempt.partial, attempt.id


def _namespace(row: Mapping[str, Any]) -> Namespace:
    return Namespace(schema=row["schema_name"], version_table=row["version_table"])


def _ledger_branch(row: Mapping[str, Any]) -> LedgerBranch:
    return LedgerBranch(
        namespace=_namespace(row),
        branch=row["branch"],
        heads=tuple(sorted(row["heads"])),
        distribution=row["distribution"],
        version=row["version"],
    )


def _open_step(row: Mapping[str, Any]) -> OpenStep:
    return OpenStep(
        id=row["id"],
        namespace=_namespace(row),
        revision=row["revision"],
        partial=row["partial"],
        failed=row["outcome"] == "failed",
        error=row["error"],
        started_at=datetime.fromisoformat(row["started_at"]),
        host=row["host"],
        pid=row["pid"],
        backend_pid=row["backend_pid"],
        version=row["version"],
        attempt=row.get("attempt", 1),
        age=float(row.get("age") or 0.0),
        contracts=Recorded(phase=row["phase"], destructive=row.get("destructive")).contracts,
        at_once=row["action"] == "bootstrap",
    )
