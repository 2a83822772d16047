"""One branch's revisions, linked as Alembic links them."""

from __future__ import annotations

import pytest

from corehost import CycleError, GraphError, MigrationError
from corehost.core.errors import AmbiguousRevisionError, MissingRevisionError
from corehost.core.tree import BranchTree
from support.graphs import chain, revision, tree

TWO_LINES = (
    revision("e1", labels=["east"]),
    revision("e2", ["e1"]),
    revision("c1", needs=["e1"], labels=["central"]),
    revision("c2", ["c1"], needs=["e2"]),
)
"""Two lines of one branch, the second depending on the first."""


def merged() -> BranchTree:
    """Two bases, a merge of them, and a head beside it."""
    return tree(
        "ant",
        [revision("a1"), revision("b1"), revision("m", ["a1", "b1"]), revision("b2", ["b1"])],
    )


def test_the_heads_are_what_nothing_else_comes_after() -> None:
    """A merge is a head, what it merges is none."""
    assert merged().heads == ("b2", "m")


def test_what_is_depended_on_inside_the_branch_is_no_head() -> None:
    """Alembic's `heads` leaves it out: applying what depends on it applies it as well."""
    assert tree("ant", TWO_LINES).heads == ("c2",)


def test_an_empty_branch_has_no_heads() -> None:
    """A plugin whose first revision is still to be written."""
    assert tree("ant", []).heads == ()


def test_every_revision_stands_behind_its_parents() -> None:
    """Ties are ordered by id."""
    assert merged().order == ("a1", "b1", "b2", "m")


def test_a_dependency_inside_the_branch_is_a_parent() -> None:
    """It orders revisions as down_revision does."""
    assert tree("ant", TWO_LINES).parents["c2"] == ("c1", "e2")


def test_a_dependency_that_is_also_the_down_revision_counts_once() -> None:
    """Some files say it twice."""
    assert tree("ant", [revision("a"), revision("b", ["a"], ["a"])]).parents["b"] == ("a",)


@pytest.mark.parametrize("name", ["e1", "east", "ant@e1", "east@e1"])
def test_the_own_branch_is_searched_first(name: str) -> None:
    """A dependency may be written as an id or a label, alone or behind a label or the branch's name."""
    found = tree("ant", [revision("e1", labels=["east"]), revision("c1", needs=[name])])
    assert found.parents["c1"] == ("e1",)
    assert not found.foreign


def test_what_the_own_branch_does_not_have_is_left_to_the_graph() -> None:
    """It is kept as the file writes it."""
    assert tree("ant", [revision("a", needs=["bee@b1"])]).foreign == {"a": ("bee@b1",)}


def test_a_missing_parent_is_told_with_a_suggestion_and_the_file() -> None:
    """A misspelt down_revision."""
    with pytest.raises(MissingRevisionError) as caught:
        tree("ant", [revision("3f2a91c0d4e5"), revision("next", ["3f2a91c0d4e6"])])
    assert str(caught.value) == (
        "down_revision '3f2a91c0d4e6' of next is not installed (branch 'ant', revision next, "
        "distribution acme-ant 1.0, file ant/next.py); did you mean '3f2a91c0d4e5'?"
    )


def test_a_cycle_inside_the_branch_is_drawn_with_its_files() -> None:
    """Each member stands above the one that it waits for."""
    with pytest.raises(CycleError) as caught:
        tree("ant", [revision("a", ["b"]), revision("b", needs=["a"])])
    assert caught.value.message.splitlines()[1:] == [
        "    a  (ant/a.py)",
        "    b  (ant/b.py)",
        "    a  (ant/a.py)",
    ]


def test_a_label_in_two_files_is_told_with_both() -> None:
    """Nobody could say which of them it means."""
    with pytest.raises(AmbiguousRevisionError, match=r"declared in both ant/a\.py and ant/b\.py"):
        tree("ant", [revision("a", labels=["x"]), revision("b", ["a"], labels=["x"])])


@pytest.mark.parametrize(
    ("target", "heads"),
    [
        ("heads", ("c2",)),
        ("east@head", ("e2",)),
        ("central@head", ("c2",)),
        ("e1@heads", ("e2",)),
        ("central@c1", ("c1",)),
        ("e1", ("e1",)),
        ("east", ("e1",)),
    ],
)
def test_a_target_is_what_alembic_takes_it_for(target: str, heads: tuple[str, ...]) -> None:
    """A label's heads are those of its line, whatever else depends on that line."""
    assert tree("ant", TWO_LINES, target=target).target_heads == heads


def test_head_is_the_only_head() -> None:
    """The usual history has one."""
    assert tree("ant", chain("a", "b"), target="head").target_heads == ("b",)


def test_head_of_an_empty_branch_is_nothing() -> None:
    """There is nothing to apply yet, and nothing wrong."""
    assert tree("ant", [], target="head").target_heads == ()


@pytest.mark.parametrize("revisions", [merged().revisions.values(), TWO_LINES])
def test_head_with_several_heads_is_refused(revisions: tuple[object, ...]) -> None:
    """As Alembic refuses it, the heads of lines that others depend on included."""
    with pytest.raises(
        GraphError, match=r"'head' stands for several heads: .*, .*; name one of them, or 'heads'"
    ):
        tree("ant", revisions, target="head")  # type: ignore[arg-type]


def test_the_beginning_of_an_id_will_do_for_a_target() -> None:
    """Four characters at least, as with Alembic."""
    assert tree("ant", [revision("3f2a91c0d4e5")], target="3f2a").target_heads == ("3f2a91c0d4e5",)


def test_the_beginning_of_two_ids_is_ambiguous() -> None:
    """Both are named."""
    with pytest.raises(AmbiguousRevisionError, match="beginning of 3f2a91, 3f2a92"):
        tree("ant", [revision("3f2a91"), revision("3f2a92")], target="3f2a")


def test_a_target_that_names_nothing_is_wrong_at_once() -> None:
    """It is the plugin that is wrong, whatever the database holds."""
    with pytest.raises(MigrationError, match=r"there is no revision 'b' .*distribution acme-ant 1\.0"):
        tree("ant", [revision("a")], target="b")


def test_a_target_leaves_out_what_comes_behind_it() -> None:
    """What is wanted is the target with all that it needs."""
    assert tree("ant", TWO_LINES, target="c1").wanted == {"e1", "c1"}


def test_the_rows_stand_for_themselves_and_all_before_them() -> None:
    """What a row depends on is applied too: Alembic keeps no row for it."""
    assert tree("ant", TWO_LINES).applied(["c1", "e2"]) == {"e1", "e2", "c1"}


def test_all_heads_as_rows_mean_that_everything_is_applied() -> None:
    """The common case, which costs no walk."""
    assert merged().applied(["m", "b2"]) == {"a1", "b1", "b2", "m"}


def test_rows_that_are_not_known_stand_for_nothing() -> None:
    """They are told apart; what they mean is for the lineage to say."""
    found = tree("ant", chain("a", "b"))
    assert found.applied(["zz", "a"]) == {"a"}
    assert found.unknown(["zz", "a"]) == ("zz",)


def test_what_a_revision_comes_after_loses_its_row() -> None:
    """Along down_revision and dependencies inside the branch; other lines keep theirs."""
    found = tree("ant", [*TWO_LINES, revision("x1")])
    assert found.rows_after(["c1", "e2", "x1"], "c2") == ("c2", "x1")


def test_a_parent_that_another_parent_has_replaced_is_no_obstacle() -> None:
    """Stock Alembic fails with a KeyError over these rows."""
    found = tree("ant", [*chain("a", "b"), revision("x"), revision("m", ["a"], ["b", "x"])])
    assert found.rows_after(["b", "x"], "m") == ("m",)
