"""Reads what others track revisions in, and writes what is taken over from them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from corehost.core.adoption import Tracking
from corehost.core.branch import Branch
from corehost.core.plan import Step
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute
from corehost.postgres.ledger import StepRecord, commit_rows


def read_tracking(connection: Connection) -> tuple[Tracking, ...]:
    """Every table, in any schema but corehost's, that looks like an Alembic version table, and its rows."""
    tables = [
        Tracking(schema=schema, table=table) for schema, table in execute(connection, sql.TRACKING_TABLES)
    ]
    if not tables:
        return ()
    parts = [
        sql.ROWS_OF.format(place=place, table=f"{sql.quoted(table.schema)}.{sql.quoted(table.table)}")
        for place, table in enumerate(tables)
    ]
    rows: dict[int, list[str]] = {place: [] for place in range(len(tables))}
    for place, row in execute(connection, " UNION ALL ".join(parts)):
        rows[place].append(row)
    return tuple(
        Tracking(schema=table.schema, table=table.table, rows=tuple(sorted(rows[place])))
        for place, table in enumerate(tables)
    )


def write_rows(
    connection: Connection,
    branch: Branch,
    steps: Iterable[Step],
    *,
    action: str,
    release: str | None,
    before: Sequence[str],
    after: Sequence[str],
    reverted: Sequence[str] = (),
) -> None:
    """Write a branch's version rows, and into the ledger the revisions that are applied and those that
    are not any more; one transaction, under the namespace's lock. ``release`` is None where the ledger
    is too old to know of any.

    Raises LockLost and RowsChanged, nothing written.
    """
    namespace = branch.namespace
    connection.autocommit = False
    try:
        for step in steps:
            StepRecord(
                step,
                branch,
                pass_id=uuid.uuid4(),
                action=action,
                release=release,
                knows_releases=release is not None,
            ).add(connection)
        values = {
            "key": namespace.lock_key,
            "schema_name": namespace.schema,
            "version_table": namespace.version_table,
            "branch": branch.name,
            "distribution": branch.origin.distribution,
            "version": branch.origin.version,
            "reverted": list(reverted),
            "started_id": None,
        }
        # whatever was open is settled by what is now said to be so
        commit_rows(connection, namespace, sql.REVERT, values, before=before, after=after, settle=True)
    finally:
        connection.rollback()
        connection.autocommit = True
