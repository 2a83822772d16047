"""Notices a transaction pooler, behind which a session lock locks nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Final

from corehost.core.errors import PoolerRefused
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute

_ROUNDS: Final = 10
_NAME: Final = "corehost.pooler_probe"


def refuse_transaction_pooler(connection: Connection, another: Callable[[], Connection]) -> None:
    """Raise PoolerRefused where session state does not stay with the session; touches nothing.

    A direct connection is told by its backend's pid, which no pooler passes on: one round trip. Behind
    a pooler, a value is set on this session, then looked for on another one, inside a transaction, and
    on this one again. An idle transaction pooler hands the same backend to the other; a busy one hands
    another backend to this one. Neither must be found in any of ten rounds.
    """
    row = execute(connection, sql.BACKEND_PID).fetchone()
    if row is not None and row[0] == connection.info.backend_pid:
        return
    with closing(another()) as other:
        for _ in range(_ROUNDS):
            mark = uuid.uuid4().hex
            execute(connection, sql.SET_MARK, (_NAME, mark))
            execute(other, "BEGIN")
            elsewhere = execute(other, sql.READ_MARK, (_NAME,)).fetchone()
            execute(other, "ROLLBACK")
            here = execute(connection, sql.READ_MARK, (_NAME,)).fetchone()
            if elsewhere == (mark,) or here != (mark,):
                raise PoolerRefused(
                    "the connection goes through a transaction pooler, where advisory locks lock nothing",
                    hint="set migration_url to a direct connection, or one through a session pooler",
                )
    execute(connection, sql.SET_MARK, (_NAME, ""))
