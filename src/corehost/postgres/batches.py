"""Batches of a table by its key: what is next, how far it has come, how far the standbys are behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corehost.core.errors import MigrationError
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute
from corehost.postgres.ledger import lock_checked

_COLUMNS: Final = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
# An index over expressions has a zero in its key.
_UNIQUE_KEYS: Final = """
SELECT i.indisprimary, (
  SELECT array_agg(a.attname::text ORDER BY k.place)
  FROM unnest(i.indkey[0 : i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum)
FROM pg_catalog.pg_index i
WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND 0 <> ALL (i.indkey[0 : i.indnkeyatts - 1])
ORDER BY i.indisprimary DESC, i.indexrelid"""
_FIND: Final = """
SELECT c.oid::text, pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c
WHERE c.oid = pg_catalog.to_regclass(%s)"""
_HAS_WRITTEN: Final = "SELECT pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL"
_ESTIMATE: Final = """
SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s)"""
_LAST_KEY: Final = "SELECT {texts} FROM {table}{where} ORDER BY {descending} LIMIT 1"
_NEXT: Final = """
WITH batch AS (
  SELECT {keys} FROM {table}{where} ORDER BY {ascending} LIMIT {size}
)
SELECT (SELECT count(*) FROM batch), {texts} FROM batch ORDER BY {descending} LIMIT 1"""
_SAVED: Final = """
SELECT over, last_key, until_key, batches, rows_done, finished FROM corehost.batch
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s AND revision = %(revision)s
  AND loop = %(loop)s"""
# The revision may have taken a role that has no right to write the ledger; it keeps it for the next batch.
_COMMIT: Final = f"""
SELECT pg_catalog.set_config('corehost.role', pg_catalog.current_setting('role'), true);
SELECT pg_catalog.set_config('role', 'none', false);
WITH {sql.HELD}
INSERT INTO corehost.batch AS b
  (schema_name, version_table, revision, loop, over, last_key, until_key, batches, rows_done, finished)
SELECT %(schema_name)s, %(version_table)s, %(revision)s, %(loop)s, %(over)s, %(last_key)s::text[],
  %(until_key)s::text[], %(batches)s, %(rows_done)s,
  CASE WHEN held.n = 1 THEN %(finished)s ELSE ('corehost: lock lost, held ' || held.n)::boolean END
FROM held
ON CONFLICT (schema_name, version_table, revision, loop) DO UPDATE SET
  last_key = excluded.last_key, batches = excluded.batches, rows_done = excluded.rows_done,
  finished = excluded.finished, updated_at = pg_catalog.clock_timestamp();
SELECT pg_catalog.set_config('role', pg_catalog.current_setting('corehost.role'), false);
COMMIT"""
_FORGET: Final = f"""
{sql.RESET_ROLE};
DELETE FROM corehost.batch
WHERE schema_name = %(schema_name)s AND version_table = %(version_table)s AND revision = %(revision)s"""
# A standby that does not replay keeps the last replay_lag that it has told of: what of the WAL it has still
# to replay was written when the first position behind which it is was noted.
_LAG: Final = """
SELECT greatest(
  max(extract(epoch FROM replay_lag)),
  max((SELECT max(extract(epoch FROM pg_catalog.clock_timestamp()) - mark.at)
       FROM unnest(%s::pg_lsn[], %s::float[]) AS mark(lsn, at) WHERE mark.lsn > replay_lsn))
)::float, count(*) FILTER (WHERE replay_lsn IS NULL)
FROM pg_catalog.pg_stat_replication
WHERE state IN ('streaming', 'catchup') OR state IS NULL"""
_MARK: Final = """
SELECT pg_catalog.pg_current_wal_lsn()::text, extract(epoch FROM pg_catalog.clock_timestamp())::float"""
_BEGUN: Final = "SELECT DISTINCT schema_name, version_table, revision FROM corehost.batch"
_MARK_OF_VALUE: Final = "\0"  # a byte that no SQL text can have
_STILL_HERE: Final = "SELECT 1"

Key = tuple[str, ...]
"""The values of a key's columns, each as its JSON text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyedTable:
    """A table, and the columns of a unique key of it."""

    name: str
    """The qualified or bare name, quoted."""
    relation: str
    """The bare name, quoted: by which a statement's conditions know it."""
    columns: tuple[str, ...]
    """The key's columns, in the order of its index."""
    types: tuple[str, ...]
    """Their types, as SQL writes them."""
    where: str | None = None
    """Which rows are meant, as SQL; None for all."""

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.columns)})"

    def beyond(self, relation: str, operator: str, values: Sequence[str]) -> str:
        """A comparison of the key with values that are given as SQL."""
        place = f"{relation}." if relation else ""
        left = ", ".join(f"{place}{sql.quoted(column)}" for column in self.columns)
        right = ", ".join(f"CAST({v} AS {t})" for v, t in zip(values, self.types, strict=True))
        return f"({left}) {operator} ({right})"

    def first_beyond(self, key: Key | None, until: Key, size: int) -> tuple[str, list[str]]:
        """The statement that finds the last key of the batch behind ``key``, and its parameters."""
        bounds = [("<=", until)] if key is None else [(">", key), ("<=", until)]
        conditions = [self.beyond("", operator, [_MARK_OF_VALUE] * len(of)) for operator, of in bounds]
        statement = self._fill(_NEXT, conditions, size)
        # Names and the author's condition may have percent signs, which are no places of parameters.
        statement = statement.replace("%", "%%").replace(_MARK_OF_VALUE, "%s")
        return statement, [value for _, of in bounds for value in of]

    def last(self) -> str:
        """The statement that finds the largest key."""
        return self._fill(_LAST_KEY, [], 0)

    def _fill(self, statement: str, bounds: list[str], size: int) -> str:
        own = [f"({self.where})"] if self.where else []
        names = [sql.quoted(column) for column in self.columns]
        return statement.format(
            table=self.name,
            keys=", ".join(names),
            # to_json writes times and numbers the same whatever the session's DateStyle is
            texts=", ".join(f"pg_catalog.to_json({name}) #>> '{{}}'" for name in names),
            ascending=", ".join(names),
            descending=", ".join(f"{name} DESC" for name in names),
            where=f" WHERE {' AND '.join([*bounds, *own])}" if bounds or own else "",
            size=size,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """How far a loop has come, as the ledger has it."""

    over: str
    last: Key
    until: Key
    batches: int
    rows: int
    finished: bool


def keyed_table(
    connection: Connection, name: str, *, key: Sequence[str] | None, where: str | None
) -> KeyedTable:
    """A table by its key: the given columns, or the primary key.

    Raises MigrationError where there is no such table, or where these columns are no unique key, or may
    be NULL: rows would be left out.
    """
    found = execute(connection, _FIND, (name,)).fetchone()
    if found is None:
        raise MigrationError(f"there is no table {name}")
    oid, relation = found
    known = {column: (kind, not_null) for column, kind, not_null in execute(connection, _COLUMNS, (oid,))}
    unique = [(primary, tuple(columns)) for primary, columns in execute(connection, _UNIQUE_KEYS, (oid,))]
    if key is None:
        columns = next((columns for primary, columns in unique if primary), None)
        if columns is None:
            raise MigrationError(f"table {name} has no primary key", hint="name a unique key by key=…")
    else:
        # In the order of the index, which then finds each batch without sorting.
        columns = next((columns for _, columns in unique if set(columns) == set(key)), None)
        missing = [column for column in key if column not in known]
        if missing:
            raise MigrationError(f"table {name} has no column {missing[0]!r}")
        if columns is None:
            raise MigrationError(
                f"no unique index of table {name} is over {', '.join(key)} alone",
                hint="name the columns of its primary key, or of another unique index",
            )
    for column in columns:
        if not known[column][1]:
            raise MigrationError(
                f"column {column!r} of table {name} may be NULL: rows without a key would be left out"
            )
    return KeyedTable(
        name=name,
        relation=relation,
        columns=columns,
        types=tuple(known[column][0] for column in columns),
        where=where,
    )


def has_written(connection: Connection) -> bool:
    """Whether the open transaction has changed anything."""
    ((written,),) = execute(connection, _HAS_WRITTEN)
    return bool(written)


def estimated_rows(connection: Connection, table: KeyedTable) -> int | None:
    """About how many rows the table has, as the planner knows; None where it does not."""
    if table.where is not None:
        return None
    ((rows,),) = execute(connection, _ESTIMATE, (table.name,))
    return int(rows) if rows > 0 else None


def last_key(connection: Connection, table: KeyedTable) -> Key | None:
    """The largest key; None of an empty table."""
    row = execute(connection, table.last()).fetchone()
    return None if row is None else tuple(row)


def next_batch(
    connection: Connection, table: KeyedTable, *, behind: Key | None, until: Key, size: int
) -> tuple[int, Key] | None:
    """How many rows the next batch has, and its last key; None where nothing is left."""
    statement, parameters = table.first_beyond(behind, until, size)
    row = execute(connection, statement, parameters).fetchone()
    return None if row is None else (int(row[0]), tuple(row[1:]))


def saved(connection: Connection, of: Mapping[str, Any], loop: int) -> Saved | None:
    """How far a loop of a step had come when it was cut short; None where it has to begin."""
    row = execute(connection, _SAVED, {**of, "loop": loop}).fetchone()
    if row is None:
        return None
    over, last, until, batches, rows, finished = row
    return Saved(
        over=over, last=tuple(last), until=tuple(until), batches=batches, rows=rows, finished=finished
    )


def commit(connection: Connection, of: Mapping[str, Any], loop: int, progress: Saved) -> None:
    """Commit the batch with how far it has come, if the namespace's lock is still held: one round trip.

    Raises LockLost, the transaction to be rolled back.
    """
    values = {
        **of,
        "loop": loop,
        "over": progress.over,
        "last_key": list(progress.last),
        "until_key": list(progress.until),
        "batches": progress.batches,
        "rows_done": progress.rows,
        "finished": progress.finished,
    }
    with lock_checked():
        execute(connection, _COMMIT, values)


def forget(connection: Connection, of: Mapping[str, Any]) -> None:
    """Take out what is kept of a step's loops, in the transaction in which the step ends."""
    execute(connection, _FORGET, of)


def begun_loops(connection: Connection) -> frozenset[tuple[str, str, str]]:
    """Schema, version table and revision of every step that has committed batches, and is not applied."""
    return frozenset((schema, table, revision) for schema, table, revision in execute(connection, _BEGUN))


class Lag:
    """How far the standbys are behind, in seconds, by what they have not replayed of our own changes."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._marks: list[tuple[str, float]] = []
        self.is_hidden = False
        """Whether there is a standby whose state this role may not see."""

    def mark(self) -> None:
        """Note where the server's log is now, after a batch."""
        ((lsn, at),) = execute(self._connection, _MARK)
        self._marks = [*self._marks[-99:], (lsn, at)]

    def seconds(self) -> float:
        """The lag of the slowest standby that is connected; 0 where there is none."""
        lsns, times = [mark[0] for mark in self._marks], [mark[1] for mark in self._marks]
        ((seconds, hidden),) = execute(self._connection, _LAG, (lsns, times))
        self.is_hidden = hidden > 0
        return float(seconds or 0.0)


def keep_alive(connection: Connection) -> None:
    """Show the server that this session is not stuck."""
    execute(connection, _STILL_HERE)
