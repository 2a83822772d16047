"""``corehost stamp``."""

from __future__ import annotations

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("stamp", {"branch": None, "before": [], "after": [], "added": [], "removed": []})
@click.argument("branch")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
def stamp(run: Invocation, branch: str, targets: tuple[str, ...]) -> None:
    """Say that a branch is at TARGET, without running anything.

    TARGET is what Alembic takes: heads, base, a revision's id or the beginning of it, label@head; several
    where a branch has several lines. Version rows and ledger are written under the namespace's lock.
    """
    from corehost.core.namespace import LEDGER
    from corehost.migrate.settle import tree_of
    from corehost.migrate.takeover import look_first
    from corehost.migrate.takeover import stamp as write

    installation = run.host.installation
    tree = tree_of(installation.graph, branch)
    for target in targets:
        if target != "base":
            tree.resolve(target)  # what is wrong with it is told before anything is written
    with run.connection() as connection:
        look_first(installation.graph, run.settings, connection)
    run.host.migrate(only=LEDGER)
    done = write(installation.graph, run.settings, run.connector, tree, targets)
    run.document |= {
        "branch": branch,
        "before": list(done.before),
        "after": list(done.after),
        "added": list(done.added),
        "removed": list(done.removed),
    }
    run.remark(
        f"{branch} is at {', '.join(done.after) or 'its base'}: {len(done.added)} revisions more, "
        f"{len(done.removed)} fewer than before count as applied"
    )
