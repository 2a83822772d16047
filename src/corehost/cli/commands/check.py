"""``corehost check``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.index import IndexedBranch
    from corehost.postgres.connect import Connection
    from corehost.readiness import Look

PENDING = 3


@reporting("check", {"ready": False, "pending": {}})
def check(run: Invocation) -> int:
    """Say whether anything is pending, without any lock.

    Exit code 0: nothing to do; 3: something is pending; 5: this code cannot serve this database; 6: the
    database cannot be reached.
    """
    from corehost import index

    known = index.find(run.settings)
    if known is None:
        index.keep(run.installation)
    with run.connection() as connection:
        seen = None if known is not None and _has(connection, known) else _look(run, connection)
    branches = seen.branches if seen is not None else ()
    pending = {status.branch: list(status.pending) for status in branches if status.pending}
    run.document["pending"] = pending
    if seen is None or seen.ready:
        run.document["ready"] = True
        left_out = [status.branch for status in branches if status.left_out]
        run.remark(f"nothing to do; left out: {', '.join(left_out)}" if left_out else "nothing to do")
        return 0
    if unservable := seen.unservable():
        raise unservable
    number = sum(map(len, pending.values()))
    run.remark(f"{number} revision{'s' if number > 1 else ''} pending: {', '.join(pending)}")
    return PENDING


def _has(connection: Connection, known: Iterable[IndexedBranch]) -> bool:
    """Whether the version tables have the rows of an installation of which nothing is pending."""
    from corehost.postgres.rows import read_rows

    wanted = {branch.namespace: tuple(sorted(branch.rows)) for branch in known}
    return read_rows(connection, list(wanted)) == wanted


def _look(run: Invocation, connection: Connection) -> Look | None:
    """What there is to do; None where there is nothing."""
    from corehost.readiness import is_current, look_around

    graph = run.installation.graph
    policy = run.installation.policy
    if is_current(connection, graph, policy=policy):
        return None
    return look_around(connection, graph, policy=policy)
