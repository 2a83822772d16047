"""What of each branch others have applied, worked out from their tables."""

from __future__ import annotations

import pytest

from corehost.core.adoption import Adoption, Tracking, told, work_out
from corehost.core.errors import ConfigurationError
from corehost.core.graph import Graph
from support.graphs import chain, revision, tree


def shared(*rows: str, schema: str = "public", table: str = "alembic_version") -> Tracking:
    """A version table."""
    return Tracking(schema=schema, table=table, rows=tuple(sorted(rows)))


def found(graph: Graph, *tables: Tracking, **given: object) -> dict[str, Adoption]:
    """What is worked out, by branch."""
    return {one.branch: one for one in work_out(graph, tables, **given)}  # type: ignore[arg-type]


@pytest.fixture
def family() -> Graph:
    """Three branches whose revisions depend on each other's, as one Alembic graph would have them."""
    return Graph(
        [
            tree("ant", chain("a1", "a2", "a3")),
            tree("bee", chain("b1", "b2", needs={"b1": "a2"})),
            tree("cat", chain("c1", "c2", needs={"c2": "b1"})),
        ]
    )


def test_one_shared_table_with_a_row_a_branch(family: Graph) -> None:
    """Each row goes to the branch that has it, with all before it."""
    taken = found(family, shared("a3", "b2", "c1"))
    assert {name: (one.rows, one.applied) for name, one in taken.items()} == {
        "ant": (("a3",), ("a1", "a2", "a3")),
        "bee": (("b2",), ("b1", "b2")),
        "cat": (("c1",), ("c1",)),
    }


def test_heads_that_others_imply_have_no_row(family: Graph) -> None:
    """cat's c2 needs b1, which needs a2: ant and bee are known although no row names them."""
    taken = found(family, shared("c2"))
    assert {name: (one.rows, one.implied) for name, one in taken.items()} == {
        "ant": (("a2",), True),
        "bee": (("b1",), True),
        "cat": (("c2",), False),
    }


def test_an_edge_that_the_host_adds_implies_nothing() -> None:
    """The other tool did not know it: what it leads to may not be applied at all."""
    trees = [tree("ant", chain("a1")), tree("bee", chain("b1"))]
    graph = Graph(trees, extra_edges=[("bee@b1", "ant@a1")])
    assert not found(graph, shared("b1"))["ant"]


def test_a_table_for_each_project() -> None:
    """The same id in two projects: each one's own version table says its own."""
    graph = Graph([tree("ant", chain("001", "002")), tree("bee", chain("001", "002"))])
    tables = [shared("002", schema="ant"), shared("001", schema="bee")]
    taken = found(graph, *tables)
    assert (taken["ant"].rows, taken["bee"].rows) == (("002",), ("001",))


def test_a_row_that_may_mean_two_branches_is_refused() -> None:
    """Nobody says whose 001 it is."""
    graph = Graph([tree("ant", chain("001")), tree("bee", chain("001"))])
    with pytest.raises(ConfigurationError, match="may mean ant or bee") as refusal:
        work_out(graph, [shared("001")])
    assert "--from ant=public.alembic_version" in str(refusal.value)


def test_somebody_may_say_whose_table_it_is() -> None:
    """Then the row is his; the other branch has nothing."""
    graph = Graph([tree("ant", chain("001")), tree("bee", chain("001"))])
    taken = found(graph, shared("001"), given={"bee": "public.alembic_version"})
    assert taken["bee"]
    assert not taken["ant"]


def test_a_row_that_nobody_has_is_refused(family: Graph) -> None:
    """Its package is not installed: what it implies cannot be known."""
    with pytest.raises(ConfigurationError, match=r"'x9' of public\.alembic_version belongs to no installed"):
        work_out(family, [shared("a1", "x9")])


def test_a_row_that_nobody_has_may_be_left_alone(family: Graph) -> None:
    """The rest is taken over without it."""
    assert found(family, shared("a1", "x9"), skip_unknown=True)["ant"].rows == ("a1",)


def test_two_tables_that_speak_of_one_branch_are_refused(family: Graph) -> None:
    """One may be a leftover."""
    with pytest.raises(ConfigurationError, match=r"both .* speak of branch 'ant'"):
        work_out(family, [shared("a1"), shared("a2", schema="old")])


def test_an_own_table_with_rows_of_others_is_refused(family: Graph) -> None:
    """A shared table cannot be one branch's version table: its rows would count as unknown."""
    with pytest.raises(ConfigurationError, match="has rows of others: b1"):
        work_out(family, [shared("a1", "b1", schema="ant")])


def test_what_the_ledger_has_is_left_alone(family: Graph) -> None:
    """corehost's own branches need no taking over; they do not hinder that of others."""
    taken = found(family, shared("a3", "b2"), ours=["ant"])
    assert set(taken) == {"bee", "cat"}


def test_taking_over_goes_on_where_it_was_broken_off(family: Graph) -> None:
    """A row of a branch that has a version table of its own by now says nothing new."""
    taken = found(family, shared("a3", "b2"), shared("a3", schema="ant"), ours=["ant"])
    assert taken["bee"].rows == ("b2",)


def test_a_branch_of_which_nobody_speaks_has_no_source(family: Graph) -> None:
    """It begins at its beginning."""
    assert found(family, shared("a1"))["cat"] == Adoption(branch="cat", source=None)


def test_lines_merged_inside_a_branch_keep_alembics_rows() -> None:
    """Two lines, one depends on the other: rows are those that Alembic's HeadMaintainer leaves."""
    revisions = [
        *chain("e1", "e2"),
        revision("k1", needs=["e1"]),
        revision("k2", ["k1"], needs=["e2"]),
    ]
    graph = Graph([tree("ant", revisions)])
    assert found(graph, shared("k1", "e2"))["ant"].rows == ("e2", "k1")
    assert found(graph, shared("k2"))["ant"].applied == ("e1", "e2", "k1", "k2")


def test_a_host_may_tell_what_is_applied(family: Graph) -> None:
    """Its function has read tracking that is not Alembic's."""
    (one,) = told(family, {"ant": ["a2"]}, source="shop.journal:read")
    assert (one.rows, one.applied, one.source) == (("a2",), ("a1", "a2"), "shop.journal:read")


def test_a_host_may_not_tell_of_what_is_not_installed(family: Graph) -> None:
    """Neither branches nor revisions."""
    for wrong in ({"dog": ["d1"]}, {"ant": ["a9"]}):
        with pytest.raises(Exception, match=r"dog|a9"):
            told(family, wrong, source="shop.journal:read")


def test_what_two_tables_imply_adds_up() -> None:
    """bee's table implies ant's first line, cat's its second: both are applied."""
    graph = Graph(
        [
            tree("ant", [*chain("a1"), *chain("z1")]),
            tree("bee", chain("b1", needs={"b1": "ant@a1"})),
            tree("cat", chain("c1", needs={"c1": "ant@z1"})),
        ]
    )
    taken = found(graph, shared("b1", schema="bee"), shared("c1", schema="cat"))
    assert taken["ant"].rows == ("a1", "z1")
    assert taken["ant"].source == "bee.alembic_version, cat.alembic_version"


def test_what_was_taken_over_before_still_implies(family: Graph) -> None:
    """cat is the ledger's already: what its revisions need is as applied as it was."""
    tables = [shared("c2"), shared("c2", schema="cat")]
    taken = found(family, *tables, ours={"cat"})
    assert {name: one.rows for name, one in taken.items()} == {"ant": ("a2",), "bee": ("b1",)}


def test_a_row_of_its_own_does_not_end_what_was_taken_over_implies() -> None:
    """ant has a row in the shared table, and a line that only cat, taken over before, speaks of."""
    graph = Graph(
        [
            tree("ant", [*chain("a1"), *chain("z1")]),
            tree("cat", chain("c1", needs={"c1": "ant@z1"})),
        ]
    )
    taken = found(graph, shared("a1", "c1"), shared("c1", schema="cat"), ours={"cat"})
    assert taken["ant"].rows == ("a1", "z1")


def test_a_newer_row_of_what_was_taken_over_before_is_fine(family: Graph) -> None:
    """The database is ahead of this code's cat, whose table is the ledger's: nothing is to be guessed."""
    taken = found(family, shared("a3"), shared("c9", schema="cat"), ours={"cat"})
    assert taken["ant"].rows == ("a3",)
