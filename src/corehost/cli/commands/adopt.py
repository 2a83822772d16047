"""``corehost adopt``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from corehost.cli import output
from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.core.adoption import Adoption, Tracking
    from corehost.core.graph import Graph

_COLUMNS = ("branch", "tracked in", "applied", "of", "version rows")


@reporting("adopt", {"branches": [], "adopted": False})
@click.option(
    "--from",
    "given",
    multiple=True,
    metavar="BRANCH=SCHEMA.TABLE",
    help="Which table tracks a branch, where it cannot be told. May be repeated.",
)
@click.option(
    "--with", "reader", metavar="MODULE:FUNCTION", help="Ask this function instead of version tables."
)
@click.option("--skip-unknown", is_flag=True, help="Leave rows alone that belong to no installed branch.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def adopt(run: Invocation, given: tuple[str, ...], reader: str | None, skip_unknown: bool, yes: bool) -> None:
    """Take over a database that others have migrated.

    Reads every Alembic version table there is (one that is shared by many branches, one for each project),
    works out what is applied of each installed branch, shows it and, asked or with --yes, writes the
    branches' own version tables and the ledger, under their locks. No revision is run, nothing is dropped,
    the tables that were read stay as they are. It refuses where a row may mean several things.

    The function of --with is called with a psycopg connection and returns branch -> applied revisions (the
    newest are enough), for tracking that is not Alembic's.
    """
    from corehost.core.adoption import told, work_out
    from corehost.core.namespace import LEDGER
    from corehost.migrate.takeover import adopt as take_over
    from corehost.migrate.takeover import survey, warn_of_empty

    graph = run.host.installation.graph
    seen: tuple[Tracking, ...] | None = None
    with run.connection() as connection:
        tables, ours = survey(graph, run.settings, connection)
        if reader is None:
            seen = tables
            found = work_out(graph, tables, ours=ours, given=_pairs(given), skip_unknown=skip_unknown)
        else:
            told_of = told(graph, _ask(reader, connection), source=reader)
            found = tuple(adoption for adoption in told_of if adoption.branch not in ours)
        warn_of_empty(graph, connection, found)
    run.document["branches"] = [_as_dict(graph, adoption) for adoption in found]
    run.report(_text(graph, found, ours - {LEDGER}))
    taken = [adoption for adoption in found if adoption]
    if not taken or not (yes or (not run.as_json and click.confirm("Take this over?", err=True))):
        return
    run.host.migrate(only=LEDGER)
    take_over(graph, run.settings, run.connector, taken, seen)
    run.document["adopted"] = True
    run.remark(f"took over {len(taken)} branches")


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        branch, equals, table = text.partition("=")
        if not equals or "." not in table:
            raise click.UsageError(f"--from {text!r} is not BRANCH=SCHEMA.TABLE")
        pairs[branch] = table
    return pairs


def _ask(reader: str, connection: Any) -> Mapping[str, Any]:
    from corehost.core.errors import ConfigurationError
    from corehost.discovery.guard import guarded, import_object

    found = guarded(lambda: import_object(reader)(connection), f"--with {reader}")
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and not isinstance(revisions, str) for name, revisions in found.items()
    ):
        raise ConfigurationError(f"--with {reader}: it has not returned branch -> list of revisions")
    return found


def _as_dict(graph: Graph, adoption: Adoption) -> dict[str, object]:
    return {
        "branch": adoption.branch,
        "source": adoption.source,
        "implied": adoption.implied,
        "rows": list(adoption.rows),
        "applied": list(adoption.applied),
        "pending": len(graph.trees[adoption.branch].revisions) - len(adoption.applied),
    }


def _text(graph: Graph, found: tuple[Adoption, ...], ours: frozenset[str]) -> str:
    rows = [
        (
            adoption.branch,
            f"{adoption.source or 'nowhere'}{' (implied)' if adoption.implied else ''}",
            str(len(adoption.applied)),
            str(len(graph.trees[adoption.branch].revisions)),
            " ".join(adoption.rows),
        )
        for adoption in found
    ]
    text = output.table(_COLUMNS, rows) + "\n" if rows else ""
    return text + "".join(f"{name}: the ledger has it already\n" for name in sorted(ours))
