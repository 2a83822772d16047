"""One look at many tables, in one round trip, that does not fill the server's lock table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import psycopg

from corehost.postgres.connect import Connection, execute

_AT_A_TIME: Final = 30
"""Each table that is read is locked with its index until its transaction ends: for all instances together
the server's table has room for a few thousand locks."""


def read_union(connection: Connection, parts: Sequence[str], *, first: int = 0) -> Iterator[tuple[Any, ...]]:
    """The rows of all the SELECTs; in one snapshot where they are few, else in several, one after the other.

    The ``first`` of them are read in the first snapshot, and together. Raises psycopg's errors, nothing of a
    transaction left behind.
    """
    if not parts:
        return iter(())
    head, tail = parts[:first], parts[first:]
    if len(tail) <= _AT_A_TIME or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        return iter(execute(connection, " UNION ALL ".join(parts)))
    groups: list[Sequence[str]] = [[*head, *tail[:_AT_A_TIME]]]
    groups += [tail[at : at + _AT_A_TIME] for at in range(_AT_A_TIME, len(tail), _AT_A_TIME)]
    statement = "; ".join(f"BEGIN; {' UNION ALL '.join(group)}; COMMIT" for group in groups)
    try:
        cursor = execute(connection, statement)
    except psycopg.Error:
        with suppress(psycopg.Error):
            execute(connection, "ROLLBACK")
        raise
    found: list[list[tuple[Any, ...]]] = []
    while True:
        if cursor.description is not None:
            found.append(cursor.fetchall())
        if not cursor.nextset():
            return chain.from_iterable(found)
