"""``corehost history``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from corehost.cli import output
from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.postgres.ledger import HistoryEntry

_COLUMNS: Final = ("started (UTC)", "branch", "revision", "action", "outcome", "ms", "from", "by")


@reporting("history", {"history": []})
@click.option("--branch", metavar="NAME", help="Only this branch, installed or not.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest so many.")
def history(run: Invocation, branch: str | None, limit: int | None) -> None:
    """Show the ledger: every attempt to run a revision, the newest last.

    Exit code 0 whenever it could report; a database that corehost has not migrated yet has an empty history.
    """
    entries = _entries(run, branch, limit)
    run.document["history"] = [_as_dict(entry) for entry in entries]
    if not run.as_json:
        text = output.table(_COLUMNS, [_row(entry) for entry in entries]) if entries else "nothing yet\n"
        run.report(text)


def _entries(run: Invocation, branch: str | None, limit: int | None) -> Sequence[HistoryEntry]:
    from psycopg.errors import UndefinedTable

    from corehost.postgres.ledger import read_history

    with run.connection() as connection:
        try:
            return read_history(connection, branch=branch, limit=limit)
        except UndefinedTable:
            return ()


def _as_dict(entry: HistoryEntry) -> dict[str, object]:
    return {
        "schema" if name == "schema_name" else name: output.timestamp(value)
        if isinstance(value, datetime)
        else value
        for name, value in asdict(entry).items()
    }


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    return (
        (output.timestamp(entry.started_at) or "")[:19].replace("T", " "),
        entry.branch,
        entry.revision,
        entry.action,
        f"{entry.outcome}: {entry.error}" if entry.error else entry.outcome,
        "" if entry.duration_ms is None else f"{entry.duration_ms:.0f}",
        " ".join(part for part in (entry.distribution, entry.version) if part),
        "" if entry.host is None else f"{entry.host}:{entry.pid}",
    )
