"""Notices a transaction pooler, behind which a session lock locks nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Final

from corehost.core.errors import PoolerRefused
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute

_ATTEMPTS: Final = 3
_NAME: Final = "corehost.pooler_probe"


def refuse_transaction_pooler(connection: Connection, another: Callable[[], Connection]) -> None:
    """Raise PoolerRefused where session state does not stay with the session; touches nothing.

    A direct connection is told by its backend's pid, which no pooler passes on: one round trip. Behind
    a pooler, a value set on this session is looked for from inside another one's transaction: only a
    transaction pooler hands the same backend to both. That it is not found is weak evidence, so it is
    looked for several times.
    """
    row = execute(connection, sql.BACKEND_PID).fetchone()
    if row is not None and row[0] == connection.info.backend_pid:
        return
    for _ in range(_ATTEMPTS):
        mark = uuid.uuid4().hex
        execute(connection, sql.SET_MARK, (_NAME, mark))
        with closing(another()) as other:
            execute(other, "BEGIN")
            found = execute(other, sql.READ_MARK, (_NAME,)).fetchone()
            execute(other, "ROLLBACK")
        if found is not None and found[0] == mark:
            raise PoolerRefused(
                "the connection goes through a transaction pooler, where advisory locks lock nothing",
                hint="set migration_url to a direct connection, or one through a session pooler",
            )
        execute(connection, sql.SET_MARK, (_NAME, ""))
