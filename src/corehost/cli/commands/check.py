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
    if _is_as_indexed(run):
        run.document["ready"] = True
        run.remark("nothing to do")
        return 0
    from corehost import index
    from corehost.readiness import is_current, look_around

    graph = run.installation.graph
    index.keep(run.installation)
    with run.connection() as connection:
        seen = None
        if not is_current(connection, graph):
            seen = look_around(connection, graph, optional=run.settings.is_optional)
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


def _is_as_indexed(run: Invocation) -> bool:
    """Whether nothing has changed since the last look, in the installation and in the database."""
    from corehost import index

    known = index.find(run.settings)
    if known is None:
        return False
    from corehost.postgres.rows import read_rows

    with run.connection() as connection:
        found = read_rows(connection, [branch.namespace for branch in known])
    return found == {branch.namespace: tuple(sorted(branch.rows)) for branch in known}
