"""A statement that comes again with every step: parsed and planned by the server once, then only run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg

from corehost.postgres.connect import Connection, Cursor, execute

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_numbers: Final = count(1)
# At most one for each connection: a plan for every namespace would fill the server's memory.
_prepared: Final[WeakKeyDictionary[Connection, tuple[str, str]]] = WeakKeyDictionary()


class StatementGone(Exception):
    """The session has no prepared statements any more: a revision has deallocated them all.

    The transaction is aborted. The next attempt prepares the statement anew.
    """


def execute_prepared(
    connection: Connection, statement: str, parameters: Mapping[str, Any], *, before: str, after: str
) -> Cursor:
    """Run ``before``, the statement and ``after`` in one round trip; the cursor is at the statement's result.

    The type of each parameter has to show in the statement. Raises StatementGone and psycopg's errors.
    """
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    known, name = _prepared.get(connection, ("", ""))
    prepare = ""
    if known != statement:
        name = f"corehost_{next(_numbers)}"
        numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
        prepare = f"DEALLOCATE ALL; PREPARE {name} AS {numbered};"
    given = ", ".join(f"%({parameter})s" for parameter in names)
    text = f"{before}; {prepare} EXECUTE {name} ({given}); {after}"
    try:
        cursor = _at_rows(execute(connection, text, parameters))
    except psycopg.errors.InvalidSqlStatementName as error:
        _prepared.pop(connection, None)
        raise StatementGone("a revision has deallocated what corehost had prepared") from error
    _prepared[connection] = (statement, name)
    return cursor


def execute_between(
    connection: Connection, statement: str, parameters: Mapping[str, Any], *, before: str, after: str
) -> Cursor:
    """The same without preparing anything."""
    return _at_rows(execute(connection, f"{before}; {statement}; {after}", parameters))


def _at_rows(cursor: Cursor) -> Cursor:
    while cursor.description is None and cursor.nextset():
        pass
    return cursor
