"""What a host goes on without: a pure decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from corehost.core.graph import Graph
from corehost.core.leave_out import leave_out
from corehost.core.tree import BranchTree
from support.graphs import chain, tree


def left_out(
    *trees: BranchTree,
    wrong: Collection[str],
    optional: Collection[str],
    applied: Mapping[str, str] | None = None,
) -> Mapping[str, str]:
    """What is left out, nothing being applied but these rows."""
    graph = Graph(trees)
    rows = {name: (row,) for name, row in (applied or {}).items()}
    return leave_out(graph, wrong, graph.pending(rows), lambda name: name in optional)


def test_what_is_wrong_and_optional_goes_alone() -> None:
    """Nothing else needs it."""
    ant, bee = tree("ant", chain("a1")), tree("bee", chain("b1"))
    assert left_out(ant, bee, wrong=["ant"], optional=["ant"]) == {"ant": "ant"}


def test_what_is_not_optional_stays() -> None:
    """Its failure is the host's."""
    assert left_out(tree("ant", chain("a1")), wrong=["ant"], optional=[]) == {}


def test_what_requires_it_goes_with_it() -> None:
    """Through others too, whether or not these are optional themselves."""
    trees = [
        tree("ant", chain("a1")),
        tree("bee", chain("b1"), requires=["ant"]),
        tree("cat", chain("c1"), requires=["bee"]),
    ]
    assert left_out(*trees, wrong=["ant"], optional=["ant"]) == {"ant": "ant", "bee": "ant", "cat": "ant"}


def test_what_merely_comes_after_it_stays() -> None:
    """``after`` asks for nothing that is not there."""
    trees = [tree("ant", chain("a1")), tree("bee", chain("b1"), after=["ant"])]
    assert left_out(*trees, wrong=["ant"], optional=["ant"]) == {"ant": "ant"}


def test_a_pending_revision_that_needs_a_pending_one_takes_its_branch_along() -> None:
    """It cannot be run either."""
    trees = [tree("ant", chain("a1")), tree("bee", chain("b1", needs={"b1": "ant@a1"}))]
    assert left_out(*trees, wrong=["ant"], optional=["ant"]) == {"ant": "ant", "bee": "ant"}


def test_an_edge_to_what_is_applied_takes_nothing_along() -> None:
    """What is needed is there."""
    trees = [tree("ant", chain("a1", "a2")), tree("bee", chain("b1", needs={"b1": "ant@a1"}))]
    assert left_out(*trees, wrong=["ant"], optional=["ant"], applied={"ant": "a1"}) == {"ant": "ant"}


def test_what_the_core_needs_is_not_optional() -> None:
    """A host cannot go on without its core."""
    trees = [tree("ant", chain("a1")), tree("core", chain("c1", needs={"c1": "ant@a1"}))]
    assert left_out(*trees, wrong=["ant"], optional=["ant", "core"]) == {}
