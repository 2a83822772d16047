"""``corehost unlock``."""

from __future__ import annotations

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("unlock", {"branch": None, "lock": None, "terminated": False})
@click.argument("branch")
@click.option("--yes", is_flag=True, help="Do not ask.")
def unlock(run: Invocation, branch: str, yes: bool) -> None:
    """Name who holds the lock of a branch's namespace and, asked or with --yes, end that session.

    What it has not committed is rolled back; whoever waits goes on.
    """
    from corehost.cli.output import timestamp
    from corehost.migrate.settle import lock_holder, tree_of
    from corehost.migrate.settle import unlock as end

    tree = tree_of(run.installation.graph, branch)
    with run.connection() as connection:
        holder = lock_holder(connection, tree)
    run.document["branch"] = branch
    if holder is None:
        run.remark(f"nobody holds the lock of namespace {tree.branch.namespace.schema!r}")
        return
    since = timestamp(holder.since)
    run.document["lock"] = {"pid": holder.pid, "application_name": holder.application_name, "since": since}
    run.remark(f"held by pid {holder.pid} ({holder.application_name or 'no name'})")
    if not yes and (run.as_json or not click.confirm("End that session?", default=False, err=True)):
        return
    run.document["terminated"] = terminated = end(run.connector, tree, holder)
    run.remark("ended" if terminated else "it does not hold the lock any more")
