"""The statements of a step's beginning and end, with their values, as one would type them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.adapt import Dumper

from corehost.core.namespace import Namespace
from corehost.postgres import sql
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import StepRecord, commit_values
from corehost.postgres.release_sql import RECORD_RELEASE

_TOOK = "(extract(epoch FROM clock_timestamp() - transaction_timestamp()) * 1000)"


class _Expression(str):
    """SQL that stands where a value is expected."""

    __slots__ = ()


class _Verbatim(Dumper):
    def dump(self, obj: Any) -> bytes:
        return str(obj).encode()

    def quote(self, obj: Any) -> bytes:
        return self.dump(obj)


class Writer:
    """Writes statements with their values; the connection is only asked how it quotes."""

    def __init__(self, connection: Connection):
        self._cursor = psycopg.ClientCursor(connection)
        self._cursor.adapters.register_dumper(_Expression, _Verbatim)

    def text(self, statement: str, values: Mapping[str, Any] | Sequence[Any] | None = None) -> str:
        """One or more statements, each ended by a semicolon."""
        written = statement if values is None else self._cursor.mogrify(statement, values)
        return f"{written.strip().removesuffix(';')};"

    def lock(self, own: Namespace, shared: Sequence[Namespace]) -> str:
        """Try the locks that the pass takes; fails where one of them is held by somebody else."""
        tries = [sql.TRY_EXCLUSIVE.format(key=own.lock_key)] * 2  # twice: see sql.HELD
        tries += [sql.TRY_SHARED.format(key=key) for key in _keys(own, shared)]
        said = f"corehost: somebody else is at work on schema {own.schema} or what it needs; here is pid "
        # Not constant, or the cast would fail when the statement is read.
        refusal = f"({sql.literal(said)} || pg_catalog.pg_backend_pid())::boolean"
        return self.text(f"SELECT CASE WHEN {' AND '.join(tries)} THEN true ELSE {refusal} END AS locked")

    def unlock(self, own: Namespace, shared: Sequence[Namespace]) -> str:
        """Give these locks back."""
        back = [sql.UNLOCK_EXCLUSIVE.format(key=own.lock_key)] * 2
        back += [sql.UNLOCK_SHARED.format(key=key) for key in _keys(own, shared)]
        return self.text(f"SELECT {' AND '.join(back)} AS unlocked")

    def settings(self, settings: Mapping[str, str]) -> str:
        """Apply settings to the session."""
        return "\n".join(
            self.text(f"SET {name} = {value if name == 'search_path' else sql.literal(value)}")
            for name, value in settings.items()
        )

    def schema(self, name: str) -> str:
        """Make a schema."""
        return self.text(sql.CREATE_SCHEMA.format(schema=sql.quoted(name)))

    def version_table(self, namespace: Namespace, *, width: int) -> str:
        """Make a version table."""
        table = sql.CREATE_VERSION_TABLE.format(
            table=sql.version_table(namespace),
            constraint=sql.quoted(f"{namespace.version_table}_pkc"),
            width=width,
        )
        return self.text(table)

    def extension(self, name: str, schema: str) -> str:
        """Make sure of an extension."""
        return self.text(sql.CREATE_EXTENSION.format(extension=sql.quoted(name), schema=sql.quoted(schema)))

    def release(self, values: Mapping[str, Any]) -> str:
        """Record what the code knows that the script is made by (see ``release_values``)."""
        return self.text(RECORD_RELEASE, values)

    def started(self, record: StepRecord) -> str:
        """Record that the step has begun, in the transaction that is about to be committed."""
        return self.text(record.fit(sql.RECORD_STARTED), {**_of_nobody(record), "partial": True})

    def finished(
        self,
        record: StepRecord,
        namespace: Namespace,
        *,
        before: Sequence[str],
        after: Sequence[str],
        early: bool,
    ) -> str:
        """Check the lock and the rows, write the version rows and the ledger, commit."""
        values = _of_nobody(record)
        started = (
            "(SELECT max(id) FROM corehost.step WHERE open AND pass_id = "
            f"{sql.literal(values['pass_id'])}::uuid AND revision = {sql.literal(values['revision'])})"
        )
        values["started_id"] = _Expression(started) if early else None
        applied = record.fit(sql.FINISH_STARTED if early else sql.RECORD_APPLIED)
        statement = f"{sql.RESET_ROLE};{sql.finish_statement(namespace, applied)};\nCOMMIT"
        return self.text(statement, {**values, **commit_values(before, after, settle=True)})


def _keys(own: Namespace, shared: Sequence[Namespace]) -> list[int]:
    return sorted({namespace.lock_key for namespace in shared} - {own.lock_key})


def _of_nobody(record: StepRecord) -> dict[str, Any]:
    """The step's values, without the process that writes the script: it does not run it."""
    return {**record.values, "host": None, "pid": None, "duration_ms": _Expression(_TOOK)}
