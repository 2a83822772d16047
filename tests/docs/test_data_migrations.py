"""The page about data migrations: its revisions are run."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from corehost.alembic.source import source_facts
from support.packages import revision_source
from support.passes import run_pass, written_branch

PAGE = (Path(__file__).parents[2] / "docs" / "data-migrations.md").read_text()
REVISIONS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TABLE = """\
op.execute("CREATE TABLE invoices (id int PRIMARY KEY, total int, tax int)")
op.execute("INSERT INTO invoices SELECT n, 100, 19 FROM generate_series(1, 2500) AS n")"""


@pytest.mark.parametrize("source", REVISIONS)
def test_each_revision_fills_the_column(database: str, tmp_path: Path, source: str) -> None:
    """As it is printed, behind one that makes the table and one that adds the column."""
    files = {
        "1": revision_source("b1", upgrade=TABLE),
        "2": revision_source("b2", "b1", upgrade='op.execute("ALTER TABLE invoices ADD COLUMN net int")'),
        "3": source,
    }
    run_pass(database, written_branch(tmp_path, "billing", files))
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT net, count(*) FROM billing.invoices GROUP BY net").fetchall()
    assert found == [(81, 2500)]


def test_the_last_one_is_a_background_step(tmp_path: Path) -> None:
    """Its attribute is read as the page says."""
    file = tmp_path / "b3.py"
    file.write_text(REVISIONS[-1])
    facts = source_facts(file)
    assert (facts.background, facts.transactional) == (True, False)


def test_every_argument_is_in_the_table() -> None:
    """The page and the function have the same ones."""
    import inspect

    import corehost

    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == inspect.signature(corehost.batches).parameters.keys()
