"""The look of a start that knows what to expect: every branch's rows, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg

from corehost.core.namespace import Namespace
from corehost.postgres import sql
from corehost.postgres.connect import Connection
from corehost.postgres.unions import read_union


def read_rows(
    connection: Connection, namespaces: Sequence[Namespace]
) -> Mapping[Namespace, tuple[str, ...]] | None:
    """The rows of version tables that are expected to be there, sorted; one round trip.

    None where one of them, or the ledger, is not there, or where a step is partly committed.
    """
    parts = [sql.PARTIAL_STEPS]
    for place, namespace in enumerate(namespaces):
        parts.append(sql.ROWS_OF.format(place=place, table=sql.version_table(namespace)))
    rows: dict[Namespace, list[str]] = {namespace: [] for namespace in namespaces}
    try:
        for place, value in read_union(connection, parts, first=1):
            if place < 0:
                return None
            rows[namespaces[place]].append(value)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    return {namespace: tuple(sorted(found)) for namespace, found in rows.items()}
