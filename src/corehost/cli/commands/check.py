"""``corehost check``."""

from __future__ import annotations

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

PENDING = 3


@reporting("check", {"ready": False, "pending": {}})
def check(run: Invocation) -> int:
    """Say whether anything is pending, without any lock.

    Exit code 0: nothing to do; 3: something is pending; 5: this code cannot serve this database; 6: the
    database cannot be reached.
    """
    from corehost.readiness import is_current, look_around

    graph = run.installation.graph
    with run.connection() as connection:
        seen = None if is_current(connection, graph) else look_around(connection, graph)
    if seen is None or seen.ready:
        run.document["ready"] = True
        run.remark("nothing to do")
        return 0
    pending = {status.branch: list(status.pending) for status in seen.branches if status.pending}
    run.document["pending"] = pending
    if unservable := seen.unservable():
        raise unservable
    number = sum(map(len, pending.values()))
    run.remark(f"{number} revision{'s' if number > 1 else ''} pending: {', '.join(pending)}")
    return PENDING
