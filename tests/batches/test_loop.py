"""``corehost.batches`` in a revision: which rows, which keys, what it refuses."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from corehost.core.errors import MigrationError
from support.packages import revision_source
from support.passes import run_pass, written_branch

from .conftest import ONCE, ROWS, Run, counted, filling


def test_each_row_is_in_one_batch(run: Run, items: str) -> None:
    """The batches together are the table; each is a transaction of its own."""
    run(filling())
    assert counted(items) == ONCE
    with psycopg.connect(items) as connection:
        transactions = connection.execute("SELECT count(DISTINCT xmin::text) FROM public.touched").fetchone()
    assert transactions == (ROWS / 20,)


def test_the_ledger_keeps_nothing_of_a_loop_that_has_ended(run: Run, items: str) -> None:
    """What is applied again, after a downgrade, begins anew."""
    run(filling())
    with psycopg.connect(items) as connection:
        assert connection.execute("SELECT count(*) FROM corehost.batch").fetchone() == (0,)
        steps = connection.execute("SELECT outcome, open, partial FROM corehost.step WHERE revision = 'd1'")
        assert steps.fetchall() == [("applied", False, False)]


def test_sqlalchemy_statements_take_the_clause(run: Run, items: str) -> None:
    """A Core statement is restricted to the batch by its where()."""
    upgrade = """\
items = sa.table("items", sa.column("id"), sa.column("done"), schema="data")
for batch in corehost.batches(sa.Table("items", sa.MetaData(), schema="data"), size=100):
    result = batch.execute(sa.update(items).where(batch.clause).values(done=items.c.done + 1))
    assert result.rowcount == batch.rows
    batch.execute("INSERT INTO public.touched SELECT id, :by FROM items i WHERE " + batch.condition_on("i"),
                  {"by": 7})"""
    run(revision_source("d1", upgrade=upgrade, head="import corehost"))
    assert counted(items) == ONCE


def test_where_chooses_the_rows_that_are_visited(run: Run, items: str) -> None:
    """Batches are made of the rows for which it holds; a percent sign and a colon in it mean themselves."""
    where = "id % 2 = 0 AND id::text || ':x' LIKE '%:x'"
    upgrade = f"""\
for batch in corehost.batches("items", size=50, where={where!r}):
    batch.execute(f"UPDATE items SET done = {{batch.rows}} WHERE {{batch.condition}} AND id % 2 = 0")"""
    run(revision_source("d1", upgrade=upgrade, head="import corehost"))
    with psycopg.connect(items) as connection:
        found = connection.execute("SELECT done, count(*) FROM data.items GROUP BY done ORDER BY done")
        assert found.fetchall() == [(0, ROWS // 2), (50, ROWS // 2)]


@pytest.mark.parametrize(
    ("columns", "key", "values"),
    [
        ("k uuid", "k", "md5(n::text)::uuid"),
        ("k text", "k", "'it''s :' || n || '% \"ä'"),
        ("k timestamptz", "k", "'2026-01-01'::timestamptz + n * interval '1.000001 s'"),
        ("k bytea", "k", "decode(lpad(n::text, 8, '0'), 'hex')"),
        ("k double precision", "k", "n / 7.0"),
        ("a char(3), b numeric", "b, a", "to_char(n % 7, 'FM000'), n / 3.0"),
        ('"a:b %s" bigint', '"a:b %s"', "n"),
    ],
    ids=["uuid", "text", "timestamptz", "bytea", "double", "two columns", "odd name"],
)
def test_a_key_may_be_of_any_type(database: str, tmp_path: Path, columns: str, key: str, values: str) -> None:
    """Keys that Python has no exact equal of come back as they were; several columns are one key."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"CREATE SCHEMA data; CREATE TABLE data.odd ({columns}, done int DEFAULT 0, PRIMARY KEY ({key}));"
            f"INSERT INTO data.odd SELECT {values} FROM generate_series(1, 100) AS n"
        )
    upgrade = """\
for batch in corehost.batches("odd", size=9):
    batch.execute(f"UPDATE odd SET done = done + 1 WHERE {batch.condition}")"""
    source = revision_source("d1", upgrade=upgrade, head="import corehost")
    run_pass(database, written_branch(tmp_path, "data", {"1": source}))
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT done, count(*) FROM data.odd GROUP BY done").fetchall() == [
            (1, 100)
        ]


def test_rows_that_come_later_are_not_chased(run: Run, items: str) -> None:
    """The loop ends at the largest key that there was when it began, however fast rows are added."""
    adding = '\n    batch.execute("INSERT INTO items (id) SELECT max(id) + 1 FROM items")'
    run(filling(after=f"{adding[1:]}"))
    assert counted(items)[2:] == (ROWS, ROWS)


def test_an_empty_table_has_no_batch(run: Run, items: str) -> None:
    """Nothing is to be done, and the step is applied."""
    with psycopg.connect(items, autocommit=True) as connection:
        connection.execute("TRUNCATE data.items")
    assert "data@d1" in [str(result.node) for result in run(filling()).applied]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (filling('"nowhere"'), "there is no table nowhere"),
        (filling('"public.touched"'), "has no primary key"),
        (filling('"items", key="done"'), "no unique index of table items is over done alone"),
        (filling('"items", key="colour"'), "has no column 'colour'"),
        (filling('"items", size=0'), "size is 0"),
        (filling(before='op.execute("UPDATE items SET done = 0")'), "before corehost.batches"),
        (
            revision_source(
                "d1",
                head="import corehost",
                upgrade='for batch in corehost.batches("items"):\n    list(corehost.batches("items"))',
            ),
            "inside a loop",
        ),
    ],
    ids=["no table", "no primary key", "not unique", "no column", "no size", "changes before", "nested"],
)
def test_what_could_not_be_gone_on_with_is_refused(run: Run, items: str, source: str, said: str) -> None:
    """The step fails with what is wrong, and nothing of it is committed."""
    with pytest.raises(MigrationError, match=said):
        run(source)
    assert counted(items)[1:] == (0, 0, 0)


def test_a_key_that_may_be_null_is_refused(run: Run, items: str) -> None:
    """Rows without a key would be left out."""
    with psycopg.connect(items, autocommit=True) as connection:
        connection.execute("ALTER TABLE data.items ADD COLUMN code text UNIQUE")
    with pytest.raises(MigrationError, match="'code' of table items may be NULL"):
        run(filling('"items", key="code"'))


def test_what_the_revision_changes_behind_the_loop_commits_with_its_version_row(run: Run, items: str) -> None:
    """An error there rolls it back, and the batches stay; the next run does them no second time."""
    fails = filling(after='op.execute("CREATE TABLE extra (id int)")\nop.execute("SELECT 1 / 0")')
    with pytest.raises(MigrationError, match="division by zero"):
        run(fails)
    assert counted(items) == ONCE
    with psycopg.connect(items) as connection:
        assert connection.execute("SELECT to_regclass('data.extra')").fetchone() == (None,)
    run(filling(after='op.execute("CREATE TABLE extra (id int)")'))
    assert counted(items) == ONCE


def test_stock_alembic_runs_it_in_its_own_transaction(items: str, tmp_path: Path) -> None:
    """Outside a pass nothing is committed in between, and nothing of corehost is needed in the database."""
    branch = written_branch(tmp_path, "data", {"1": filling()})
    (branch.script_location / "env.py").write_text(
        "from alembic import context\nimport sqlalchemy as sa\n"
        "import psycopg\n"
        f"connect = lambda: psycopg.connect({items!r}, options='-csearch_path=data')\n"
        "engine = sa.create_engine('postgresql+psycopg://', creator=connect, poolclass=sa.NullPool)\n"
        "with engine.connect() as connection:\n"
        "    context.configure(connection=connection, version_table_schema='data')\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    )
    config = Config()
    config.set_main_option("script_location", str(branch.script_location))
    command.upgrade(config, "heads")
    assert counted(items) == ONCE
    with psycopg.connect(items) as connection:
        transactions = connection.execute("SELECT count(DISTINCT xmin::text) FROM public.touched").fetchone()
    assert transactions == (1,)
