"""``corehost resolve``."""

from __future__ import annotations

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("resolve", {"branch": None, "revision": None, "outcome": None})
@click.argument("branch")
@click.argument("revision")
@click.option(
    "--applied/--rolled-back",
    default=None,
    help="Whether all of it is in the database now, or nothing of it is.",
)
def resolve(run: Invocation, branch: str, revision: str, applied: bool | None) -> None:
    """Settle a step that a crash left in doubt.

    Look at the database first, and finish by hand what is half done, or take it back. --applied writes the
    revision's version row; --rolled-back lets the next pass run it again.
    """
    if applied is None:
        raise click.UsageError("say --applied or --rolled-back")
    from corehost.core.revision import Node
    from corehost.migrate.settle import resolve as settle

    node = Node(branch, revision)
    settle(run.installation.graph, run.settings, run.connector, node, applied=applied)
    outcome = "applied" if applied else "rolled_back"
    run.document |= {"branch": branch, "revision": revision, "outcome": outcome}
    run.remark(f"{node} counts as {'applied' if applied else 'rolled back'}")
