"""What the fleets of these tests migrate: plugins whose every revision says in a table that it ran."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from support.packages import OWN_GROUP, OWN_GROUPS, revision_source, spec, write_plugin
from support.processes import Processes

write_own = partial(write_plugin, group=OWN_GROUP)
"""Writes a plugin that does not meet the examples, which may be installed."""


LOG = """
CREATE TABLE public.ran (
  branch text, revision text, pid int, at timestamptz DEFAULT clock_timestamp()
)"""


def revision(branch: str, number: int, *, depends_on: str | None = None, seconds: float = 0) -> str:
    """A revision that makes a table, says so in ``public.ran``, and sleeps in the server."""
    upgrade = (
        f'op.create_table("t{number}", sa.Column("id", sa.Integer, primary_key=True))\n'
        f"op.execute(\"INSERT INTO public.ran VALUES ('{branch}', '{branch}{number}', pg_backend_pid())\")"
    )
    if seconds:
        upgrade += f'\nop.execute("SELECT pg_sleep({seconds})")'
    down = f"{branch}{number - 1}" if number > 1 else None
    return revision_source(f"{branch}{number}", down, depends_on, upgrade)


def plugin(
    site: Path,
    name: str,
    count: int,
    *,
    depends_on: dict[int, str] | None = None,
    seconds: dict[int, float] | None = None,
    **fields: object,
) -> None:
    """A plugin with so many revisions in a row."""
    sources = {
        f"{number:04}": revision(
            name, number, depends_on=(depends_on or {}).get(number), seconds=(seconds or {}).get(number, 0)
        )
        for number in range(1, count + 1)
    }
    write_own(site, name, spec_source=spec(name, **fields), revisions=sources)


@pytest.fixture
def plugins(site: Path) -> Path:
    """Five plugins that require, follow and depend on revisions of each other; 16 revisions."""
    plugin(site, "accounts", 4)
    plugin(site, "billing", 4, requires=("accounts",), depends_on={2: "accounts@accounts3"})
    plugin(site, "search", 3, after=("accounts",))
    plugin(site, "notes", 3, depends_on={2: "search2"})
    plugin(site, "audit", 2)
    return site


@pytest.fixture
def logged(database: str) -> str:
    """The URL of a database that holds nothing but the table in which revisions say that they ran."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(LOG)
    return database


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Processes that see these tests' own plugins alone."""
    with Processes(OWN_GROUPS) as running:
        yield running
