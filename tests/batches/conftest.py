"""A table to go through, and a plugin whose one revision does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corehost.core.results import MigrationReport
from support.packages import revision_source
from support.passes import run_pass, written_branch

ROWS = 400
"""How many rows the table has."""
TABLE = f"""
CREATE SCHEMA data;
CREATE TABLE data.items (id int PRIMARY KEY, done int NOT NULL DEFAULT 0);
INSERT INTO data.items (id) SELECT n * 3 FROM generate_series(1, {ROWS}) AS n;
CREATE TABLE public.touched (id int, by int)"""
BODY = """\
for batch in corehost.batches({arguments}):
    batch.execute(f"UPDATE items SET done = done + 1 WHERE {{batch.condition}}")
    batch.execute(
        f"INSERT INTO public.touched SELECT id, pg_backend_pid() FROM items WHERE {{batch.condition}}"
    )"""

Run = Callable[..., MigrationReport]


def filling(arguments: str = '"items", size=20', *, before: str = "", after: str = "") -> str:
    """A revision that counts each row of the table once, and writes down that it did."""
    upgrade = "\n".join(part for part in (before, BODY.format(arguments=arguments), after) if part)
    return revision_source("d1", upgrade=upgrade, head="import corehost")


@pytest.fixture
def items(database: str) -> str:
    """The URL of a database with the table."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLE)
    return database


@pytest.fixture
def run(items: str, tmp_path: Path) -> Run:
    """Runs one pass over a branch with this revision; called again, the revision is replaced."""

    def passes(source: str, **settings: Any) -> MigrationReport:
        return run_pass(items, written_branch(tmp_path, "data", {"1": source}), **settings)

    return passes


def counted(url: str) -> tuple[int, int, int, int]:
    """The least and most often that a row was changed, how many notes there are, and of how many rows."""
    with psycopg.connect(url) as connection:
        least, most = connection.execute("SELECT min(done), max(done) FROM data.items").fetchone() or (0, 0)
        notes, rows = connection.execute(
            "SELECT count(*), count(DISTINCT id) FROM public.touched"
        ).fetchone() or (0, 0)
    return least, most, notes, rows


ONCE = (1, 1, ROWS, ROWS)
"""What :func:`counted` says where each row was done once."""
