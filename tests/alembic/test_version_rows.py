"""The rows of a version table: the same that stock Alembic leaves, so that either can go on from them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy.pool import NullPool

from corehost.alembic.files import read_tree
from corehost.alembic.runner import BranchRunner
from corehost.core.branch import Branch
from corehost.core.graph import Graph
from corehost.core.plan import make_plan
from corehost.core.tree import BranchTree
from support.packages import create_table, revision_source
from support.passes import run_pass, written_branch

ENV = """\
from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="ant",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
"""

Headers = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Revision -> its down revisions, and what it depends on beside them."""

TWO_LINES: Headers = {
    "e1": ((), ()),
    "e2": (("e1",), ()),
    "c1": ((), ("e1",)),
    "c2": (("c1",), ("e2",)),
}
DIAMOND: Headers = {"a": ((), ()), "b": (("a",), ()), "c": (("a",), ()), "d": (("b", "c"), ())}
CROSSED_LINES: Headers = {
    "a1": ((), ()),
    "b1": ((), ()),
    "a2": (("a1",), ("b1",)),
    "b2": (("b1",), ("a1",)),
    "m": (("a2", "b2"), ()),
    "x": ((), ("a2", "b1")),
}


def draw_headers(random: Random) -> Headers:
    """One branch with several bases, merges, lines and dependencies between them."""
    found: Headers = {}
    for place in range(random.randint(1, 8)):
        name = f"{random.choice('abcdef')}{place}"
        down = random.sample(sorted(found), min(len(found), random.choice([0, 1, 1, 1, 2, 3])))
        needs = random.sample(sorted(found), min(len(found), random.choice([0, 0, 1, 1, 2])))
        last = {*down, *needs} - {before for parent in (*down, *needs) for before in _before(found, parent)}
        if len(last) > 1:  # stock Alembic fails with a KeyError where several come with some before them
            down, needs = [parent for parent in down if parent in last], sorted(last.difference(down))
        found[name] = (tuple(down), tuple(needs))
    return found


def _before(headers: Headers, name: str) -> set[str]:
    parents = {parent for group in headers[name] for parent in group}
    return parents.union(*(_before(headers, parent) for parent in parents))


@dataclass(frozen=True)
class Stock:
    """Stock Alembic over a branch's folder, on a database of its own."""

    branch: Branch
    connection: sa.Connection

    @property
    def config(self) -> Config:
        """The configuration that an ``alembic.ini`` would make."""
        config = Config(stdout=io.StringIO())
        config.set_main_option("script_location", str(self.branch.script_location))
        config.attributes["connection"] = self.connection
        return config

    @property
    def script(self) -> ScriptDirectory:
        """The script directory."""
        return ScriptDirectory.from_config(self.config)

    def upgrade(self, target: str) -> tuple[str, ...]:
        """``alembic upgrade``, and the rows that it leaves."""
        command.upgrade(self.config, target)
        self.connection.commit()
        return self.rows()

    def current(self) -> list[str]:
        """What ``alembic current`` prints."""
        config = self.config
        command.current(config)
        return sorted(config.stdout.getvalue().splitlines())  # type: ignore[attr-defined]

    def rows(self) -> tuple[str, ...]:
        """The rows of the version table."""
        found = self.connection.execute(sa.text("SELECT version_num FROM ant.alembic_version"))
        rows = tuple(sorted(row[0] for row in found))
        self.connection.rollback()
        return rows

    def leave(self, rows: Iterable[str]) -> None:
        """Put other rows into the version table."""
        self.connection.execute(sa.text("DELETE FROM ant.alembic_version"))
        for row in rows:
            statement = sa.text("INSERT INTO ant.alembic_version VALUES (:row)")
            self.connection.execute(statement, {"row": row})
        self.connection.commit()


@contextmanager
def stock_over(headers: Headers, url: str) -> Iterator[Stock]:
    """The revisions in files, and stock Alembic over them in an empty schema."""
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(url, autocommit=True) as connection:
        sources = {name: revision_source(name, down, needs) for name, (down, needs) in headers.items()}
        branch = written_branch(Path(folder), "ant", sources)
        (branch.script_location / "env.py").write_text(ENV)
        for statement in ("DROP SCHEMA IF EXISTS {} CASCADE", "CREATE SCHEMA {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier("ant")))
        engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
        )
        with engine.connect() as stock_connection:
            yield Stock(branch, stock_connection)


def tree_of(branch: Branch) -> BranchTree:
    """The branch's revisions, as corehost reads them from the files."""
    return BranchTree(branch, read_tree(branch))


def order_of(tree: BranchTree) -> list[str]:
    """The order in which corehost applies them."""
    return [step.node.revision for step in make_plan(Graph([tree]), {}).steps]


def line_heads(tree: BranchTree, rows: Iterable[str]) -> set[str]:
    """What is applied and has nothing applied behind it along down_revision."""
    applied = tree.applied(rows)
    return applied.difference(*(tree.revisions[name].down_revision for name in applied))


def assert_same_rows_after_every_step(headers: Headers, url: str) -> None:
    """Each step of our plan leaves what stock Alembic leaves, and each of us reads it the same."""
    with stock_over(headers, url) as stock:
        tree, script = tree_of(stock.branch), stock.script
        runner, rows = BranchRunner(tree), ()
        for place, name in enumerate(order := order_of(tree)):
            rows = runner.rows_after(rows, name)
            assert rows == stock.upgrade(name)
            assert tree.applied(rows) == set(order[: place + 1])
            assert tree.applied(rows) == {r.revision for r in script.iterate_revisions(rows, "base")}
            assert line_heads(tree, rows) == {r.revision for r in script.get_all_current(rows)}
        assert rows == tree.heads == stock.rows()


drawn = st.randoms(use_true_random=False).map(draw_headers)
with_a_database = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("headers", [TWO_LINES, DIAMOND, CROSSED_LINES])
def test_each_step_leaves_the_rows_that_stock_alembic_leaves(headers: Headers, database: str) -> None:
    """Lines that depend on each other, a diamond, and two lines that cross."""
    assert_same_rows_after_every_step(headers, database)


@with_a_database
@given(headers=drawn)
def test_each_step_of_a_drawn_branch_leaves_the_rows_that_stock_alembic_leaves(
    database: str, headers: Headers
) -> None:
    """Bases, merges, lines and dependencies between them, drawn at random."""
    assert_same_rows_after_every_step(headers, database)


def test_what_another_row_implies_has_no_row() -> None:
    """As Alembic keeps them: e1 is implied by c1 that depends on it."""
    headers = ["e1", "c1", "e2", "c2"]
    with tempfile.TemporaryDirectory() as folder:
        sources = {name: revision_source(name, *TWO_LINES[name]) for name in headers}
        runner = BranchRunner(tree_of(written_branch(Path(folder), "ant", sources)))
        rows: tuple[str, ...] = ()
        found = [rows := runner.rows_after(rows, name) for name in headers]
    assert found == [("e1",), ("c1",), ("c1", "e2"), ("c2",)]


@with_a_database
@given(headers=drawn)
def test_the_end_is_that_of_a_stock_upgrade_to_heads(database: str, headers: Headers) -> None:
    """In one go and in its own order, which is another than ours."""
    with stock_over(headers, database) as stock:
        assert stock.upgrade("heads") == tree_of(stock.branch).heads


@with_a_database
@given(headers=drawn, random=st.randoms(use_true_random=False))
def test_stock_alembic_goes_on_where_we_stopped(database: str, headers: Headers, random: Random) -> None:
    """Whatever we have applied, its upgrade applies the rest, and nothing twice."""
    with stock_over(headers, database) as stock:
        tree = tree_of(stock.branch)
        order = order_of(tree)
        rows, runner = (), BranchRunner(tree)
        for name in order[: random.randint(0, len(order))]:
            rows = runner.rows_after(rows, name)
        stock.upgrade(order[0])
        stock.leave(rows)
        expected = {r.revision for r in stock.script.iterate_revisions("heads", rows, implicit_base=True)}
        assert expected == tree.wanted - tree.applied(rows)
        assert stock.upgrade("heads") == tree.heads


@with_a_database
@given(headers=drawn, random=st.randoms(use_true_random=False))
def test_we_go_on_where_stock_alembic_stopped(database: str, headers: Headers, random: Random) -> None:
    """After an upgrade by hand to anything, our plan is the rest, and ends where its own would."""
    with stock_over(headers, database) as stock:
        tree = tree_of(stock.branch)
        target = random.choice(sorted(headers))
        rows = stock.upgrade(target)
        assert tree.applied(rows) == tree.closure([target])
        runner = BranchRunner(tree)
        for step in make_plan(Graph([tree]), {"ant": rows}).steps:
            rows = runner.rows_after(rows, step.node.revision)
        assert rows == tree.heads


def pass_over(headers: Headers, folder: Path, url: str) -> Stock:
    """A pass over the revisions, each of which makes a table, and stock Alembic over the same."""
    sources = {
        name: revision_source(name, down, needs, upgrade=create_table(name))
        for name, (down, needs) in headers.items()
    }
    branch = written_branch(folder, "ant", sources)
    (branch.script_location / "env.py").write_text(ENV)
    run_pass(url, branch)
    engine = sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    return Stock(branch, engine.connect())


@pytest.mark.parametrize(
    ("headers", "current"),
    [
        (DIAMOND, ["d (head) (mergepoint)"]),
        (TWO_LINES, ["c2 (head)", "e2 (effective head)"]),
        ({"a": ((), ()), "b": ((), ())}, ["a (head)", "b (head)"]),
    ],
)
def test_stock_current_reads_what_a_pass_has_left(
    headers: Headers, current: list[str], tmp_path: Path, database: str
) -> None:
    """`alembic current` shows the heads of a branch that corehost has migrated."""
    stock = pass_over(headers, tmp_path, database)
    with stock.connection:
        assert stock.current() == current


def test_stock_upgrade_goes_on_from_what_a_pass_has_left(tmp_path: Path, database: str) -> None:
    """A new revision, applied by hand with `alembic upgrade heads`."""
    stock = pass_over(TWO_LINES, tmp_path, database)
    with stock.connection:
        written_branch(tmp_path, "ant", {"c3": revision_source("c3", "c2", upgrade="op.execute('SELECT 1')")})
        assert stock.upgrade("heads") == ("c3",)


def test_a_pass_goes_on_from_what_stock_alembic_has_left(tmp_path: Path, database: str) -> None:
    """The next release, after somebody has upgraded by hand."""
    stock = pass_over({"a": ((), ())}, tmp_path, database)
    with stock.connection:
        written_branch(tmp_path, "ant", {"b": revision_source("b", "a")})
        stock.upgrade("heads")
        branch = written_branch(tmp_path, "ant", {"c": revision_source("c", "b")})
        assert [str(result.node) for result in run_pass(database, branch).applied] == ["ant@c"]
        assert stock.rows() == ("c",)
