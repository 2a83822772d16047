"""Schedules of roll-outs, and what is printed of many."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Table, keep, machine, read, render
from corehost.embedded import LocalPostgres
from support.many import Rounds

from .instance import Kind
from .play import Verdict, play
from .releases import install, installed
from .schedule import draw_schedule

KIND_VARIABLE = "COREHOST_TEST_ROLLING"
"""``alembic``: play the same schedules with stock Alembic at start-up."""
TABLE = "rolling"
_TITLES: Mapping[Kind, str] = {
    "corehost": "corehost",
    "alembic": "`alembic upgrade heads` at start-up, under an advisory lock",
}
_COLUMNS = (
    "migrations by",
    "schedules",
    "without a failure",
    "requests",
    "failed",
    "wrong reads",
    "instances",
    "crashed",
    "refused",
)
_NOTE = "The same random schedules for both; an instance that is refused never becomes ready."


def _run(seed: int, number: int, postgres: LocalPostgres, folder: Path, prepared: Path) -> Verdict:
    return play(draw_schedule(seed, number), installed(prepared), postgres, folder, kind=_kind())


def _kind() -> Kind:
    return "alembic" if os.environ.get(KIND_VARIABLE) == "alembic" else "corehost"


def _summary(results: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.get("counts", {}))
    return [", ".join(f"{number} {name}" for name, number in total.items())]


def _record(results: Sequence[Mapping[str, Any]], server: str) -> None:
    """Put a row into the table, and leave the other one as it is."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.get("counts", {}))
    rows = {row[0]: row for row in read().get(TABLE, {}).get("rows", ())}
    title = _TITLES[_kind()]
    clean = sum(not (r["problems"] or r["counts"]["failed"] or r["counts"]["crashed"]) for r in results)
    rows[title] = [
        title,
        str(len(results)),
        str(clean),
        f"{total['requests']:,}",
        str(total["failed"]),
        str(total["wrong"]),
        str(total["instances"]),
        str(total["crashed"]),
        str(total["refused"]),
    ]
    keep(
        TABLE,
        Table(columns=_COLUMNS, rows=[rows[t] for t in _TITLES.values() if t in rows], note=_NOTE),
        on=machine(server),
        how=f"nox -s rolling -- --rounds {len(results)} --record",
    )
    render()


ROUNDS = Rounds(name="rolling", run=_run, summary=_summary, prepare=install, record=_record)
