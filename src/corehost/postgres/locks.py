"""Namespace locks: session-level advisory locks, only ever tried, all or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from corehost.core.namespace import Namespace
from corehost.core.results import LockHolder
from corehost.postgres import sql
from corehost.postgres.connect import Connection, application_name, execute

_SINCE = re.compile(r"^corehost .* since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$")


class LockSet:
    """One namespace's lock, exclusive, with those of the namespaces it depends on, shared.

    Taken and released whole, on the connection on which the steps then run.
    """

    def __init__(self, connection: Connection, own: Namespace, shared: Iterable[Namespace] = ()):
        self._connection = connection
        self.own = own.lock_key
        """The key held exclusively."""
        others = {n.lock_key: n.intent_key for n in shared if n.lock_key != self.own}
        self.shared = tuple(sorted(others))
        """The keys held shared."""
        self._intents = others

    def try_take(self, *, politely: bool = True) -> bool:
        """Take all keys or none, without waiting; one round trip, two where some could not be had.

        ``politely`` leaves a namespace alone that somebody has announced to need for himself; who has
        announced something himself need not, or two of them could hold each other off for ever.
        """
        own = sql.TRY_EXCLUSIVE.format(key=self.own)
        tries = [own, own]  # twice: see sql.HELD
        shared = sql.TRY_SHARED_POLITELY if politely else sql.TRY_SHARED
        tries += [shared.format(key=key, intent=self._intents[key]) for key in self.shared]
        # Nested, so that the first refusal stops the rest: a try that fails may not disturb others.
        mark = sql.MARK_SINCE.format(name="%(name)s")
        expression = f"CASE WHEN {mark} IS NULL THEN 0 ELSE 0 END"
        for attempt in reversed(tries):
            expression = f"CASE WHEN {attempt} THEN 1 + {expression} ELSE 0 END"
        row = execute(self._connection, f"SELECT {expression}", {"name": application_name()}).fetchone()
        taken = int(row[0]) if row else 0
        if taken == len(tries):
            return True
        if taken:
            self._unlock(taken)
        return False

    def release(self) -> bool:
        """Give all keys back; False where one was not held any more."""
        return self._unlock(2 + len(self.shared))

    def _unlock(self, count: int) -> bool:
        unlocks = [sql.UNLOCK_EXCLUSIVE.format(key=self.own)] * 2
        unlocks += [sql.UNLOCK_SHARED.format(key=key) for key in self.shared]
        columns = ", ".join([*unlocks[:count], sql.UNMARK.format(name="%(name)s")])
        row = execute(self._connection, f"SELECT {columns}", {"name": application_name()}).fetchone()
        return row is not None and all(row[:count])


def announce(connection: Connection, namespace: Namespace) -> bool:
    """Tell that this session needs a namespace exclusively, until it ends; False where another does."""
    statement = f"SELECT {sql.TRY_EXCLUSIVE.format(key=namespace.intent_key)}"
    row = execute(connection, statement).fetchone()
    return bool(row and row[0])


def try_contract(connection: Connection, namespace: Namespace) -> bool:
    """Tell that a contract step of a namespace is about to be run; False where another session does."""
    row = execute(connection, f"SELECT {sql.TRY_EXCLUSIVE.format(key=namespace.contract_key)}").fetchone()
    return bool(row and row[0])


def give_contract_back(connection: Connection, namespace: Namespace) -> None:
    """Tell that no contract step is run any more."""
    execute(connection, f"SELECT {sql.UNLOCK_EXCLUSIVE.format(key=namespace.contract_key)}")


def terminate(connection: Connection, pid: int) -> bool:
    """End the session of a backend, and with it its locks; False where there is none."""
    row = execute(connection, sql.TERMINATE, (pid,)).fetchone()
    return bool(row and row[0])


def holders(connection: Connection, keys: Sequence[int]) -> Mapping[int, LockHolder]:
    """Who holds which of these keys exclusively."""
    return _holders(execute(connection, sql.HOLDERS, (list(keys),)))


def holders_and_progress(
    connection: Connection, keys: Sequence[int]
) -> tuple[Mapping[int, LockHolder], tuple[Any, ...] | None]:
    """The same in one round trip with a value that differs after every step; None without a ledger."""
    try:
        cursor = execute(connection, f"{sql.PROGRESS}; {sql.HOLDERS}", (list(keys),))
    except psycopg.errors.UndefinedTable:
        return holders(connection, keys), None
    (progress,) = cursor
    cursor.nextset()
    return _holders(cursor), progress


def _holders(rows: Iterable[Any]) -> Mapping[int, LockHolder]:
    found = {}
    for key, pid, name, active, client_wait in rows:
        match = _SINCE.match(name)
        since = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if match else None
        found[key] = LockHolder(
            pid=pid, application_name=name, since=since, active=active, client_wait=client_wait
        )
    return found
