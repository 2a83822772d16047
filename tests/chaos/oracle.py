"""What must be true after a round, from its graph alone, and what is true in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import psycopg

from support.ledger import REVISIONS, STEPS

from .plan import Round

LOG = "CREATE TABLE public.ran (branch text, revision text, at timestamptz DEFAULT clock_timestamp())"
"""Where every revision says that it ran; nothing in it keeps one from saying so twice."""
_LEDGER = [("corehost", revision) for revision in REVISIONS]
_CATALOG = """
SELECT 'column ' || c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname !~ '^pg_|^information_schema$'
UNION ALL
SELECT pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' INVALID' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL
SELECT 'constraint ' || k.conrelid::regclass || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE n.nspname !~ '^pg_|^information_schema$'
UNION ALL
SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$'
ORDER BY 1"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How one instance ended."""

    name: str
    code: int | None
    """Its exit code, or the negative signal; None where it did not end."""
    error: str = ""
    """What it reported."""
    applied: tuple[str, ...] = ()
    """What it says that it applied, as ``branch@revision``."""
    hit: tuple[str, ...] = ()
    """What was done to it: ``kill``, ``term``."""
    older: bool = False
    """Whether it lacked revisions that others had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a database holds."""

    catalog: tuple[str, ...] = ()
    """Every column, index, constraint and schema as a line."""
    rows: Mapping[str, list[str]] = field(default_factory=dict)
    """Version table -> its rows."""
    applied: tuple[tuple[str, str], ...] = ()
    """Branch and revision of every application in the ledger."""
    open_steps: tuple[Any, ...] = ()
    """What the ledger has not settled."""
    ran: tuple[tuple[str, str], ...] = ()
    """Branch and revision of every run, in the order of time."""
    locks: int = 0
    """How many advisory locks are held."""


def expected_rows(plan: Round) -> dict[str, list[str]]:
    """The rows of every version table once all is applied: what no other of the branch descends from."""
    rows = {"corehost.alembic_version": [REVISIONS[-1]]}
    for plugin in plan.plugins:
        parents = {p for s in plugin.steps for p in chain(s.down, (meant for _, meant in s.needs))}
        rows[plugin.version_table] = sorted(s.revision for s in plugin.steps if s.revision not in parents)
    return rows


def find(url: str) -> Found:
    """Look at a database."""
    with psycopg.connect(url, autocommit=True) as connection:

        def select(statement: str) -> list[tuple[Any, ...]]:
            return connection.execute(statement).fetchall()

        tables = select(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            r" WHERE tablename LIKE 'alembic\_version%' ORDER BY 1"
        )
        return Found(
            catalog=tuple(row[0] for row in select(_CATALOG)),
            rows={t: sorted(row[0] for row in select(f"SELECT version_num FROM {t}")) for (t,) in tables},
            applied=tuple(
                select("SELECT branch, revision FROM corehost.step WHERE outcome = 'applied' ORDER BY id")
            ),
            open_steps=tuple(
                select("SELECT branch, revision, outcome, partial, error FROM corehost.step WHERE open")
            ),
            ran=tuple(select("SELECT branch, revision FROM public.ran ORDER BY at")),
            locks=select(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )[0][0],
        )


def problems_of(plan: Round, found: Found, undisturbed: Found) -> Iterator[str]:
    """What of a database is not as one undisturbed instance after the other would have left it."""
    nodes = {(step.branch, step.revision) for step in plan.steps.values()}
    yield from _not_once("applied in the ledger", found.applied, {*nodes, *_LEDGER})
    yield from _not_once("ran", found.ran, nodes)
    if found.rows != expected_rows(plan):
        yield f"version rows are {found.rows}, not {expected_rows(plan)}"
    if found.open_steps:
        yield f"open steps: {found.open_steps}"
    if any(line.endswith("INVALID") for line in found.catalog):
        yield "an index is invalid"
    if found.catalog != undisturbed.catalog:
        more = sorted(set(found.catalog) - set(undisturbed.catalog))
        less = sorted(set(undisturbed.catalog) - set(found.catalog))
        yield f"the schema differs: more {more}, less {less}"
    if found.locks:
        yield f"{found.locks} advisory locks are still held"
    place = {revision: number for number, (_, revision) in enumerate(found.ran)}
    for first, then in _orders(plan):
        if first in place and then in place and place[first] > place[then]:
            yield f"{then} ran before {first}"


def _not_once(what: str, got: Sequence[tuple[str, str]], wanted: set[tuple[str, str]]) -> Iterator[str]:
    counts = Counter(got)
    for node in sorted(counts.keys() | wanted):
        if counts[node] != (node in wanted):
            yield f"{'@'.join(node)} {what} {counts[node]} times"


def _orders(plan: Round) -> Iterator[tuple[str, str]]:
    """Pairs of revisions of which the first must have run before the second."""
    older = {p.name: [s.revision for s in p.steps if not s.newer] for p in plan.plugins}
    for plugin in plan.plugins:
        for step in plugin.steps:
            first = [*step.down, *(meant for _, meant in step.needs)]
            if step.all_of:
                first += older[step.all_of]
            if plan.straight:
                first += [revision for name in plugin.requires for revision in older[name]]
            yield from ((revision, step.revision) for revision in first)


def problems_of_ends(plan: Round, ended: Sequence[Ended], settled: Iterable[str]) -> Iterator[str]:
    """Which instances ended in a way that nothing done in this round accounts for."""
    for end in ended:
        if not _is_allowed(plan, end):
            yield f"{end.name} ended with {end.code}: {end.error or 'it said nothing'} (met {end.hit})"
    claims = Counter(node for end in ended for node in end.applied)
    for node, count in sorted(claims.items()):
        if count > 1:
            yield f"{count} instances say that they applied {node}"
    if all(end.code == 0 for end in ended):
        nodes = {f"{s.branch}@{s.revision}" for s in plan.steps.values()} | {*STEPS}
        if missing := nodes - claims.keys() - set(settled):
            yield f"nobody says that he applied {', '.join(sorted(missing))}"


def _is_allowed(plan: Round, end: Ended) -> bool:
    unsafe = any(step.kind == "unsafe" for step in plan.steps.values())
    match end.code:
        case 0:
            return True
        case -9:
            return "kill" in end.hit
        case -15 | 143:
            return "term" in end.hit
        case 1:
            lost = "times while revision" in end.error and plan.has(
                "terminate", "cut", "swallow", "restart", "stop"
            )
            return lost or ("canceling statement due to user" in end.error and plan.has("cancel"))
        case 5:
            if "may be committed" in end.error:
                return unsafe or end.older
            return "does not know" in end.error and end.older
    return False
