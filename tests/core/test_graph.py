"""The graph of all branches: names across branches, edges, cycles, what is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from corehost import ConfigurationError, CycleError
from corehost.core.errors import AmbiguousRevisionError, MissingRevisionError
from corehost.core.graph import Graph
from corehost.core.plan import make_plan
from corehost.core.revision import Node
from corehost.core.tree import BranchTree
from support.graphs import chain, revision, tree

ANT = tree("ant", [*chain("a1", "a2"), revision("x1", labels=["xline"]), revision("x2", ["x1"])])


def needs(name: str, *others: BranchTree) -> tuple[Node, ...]:
    """What ``depends_on = name`` means in revision b1 of branch bee."""
    bee = tree("bee", [revision("b1", needs=[name])])
    return Graph([bee, *others]).needs(Node("bee", "b1"))


@pytest.mark.parametrize("name", ["a1", "ant@a1"])
def test_a_revision_of_another_branch_is_named_alone_or_behind_its_branch(name: str) -> None:
    """Alembic's form, and corehost's own."""
    assert needs(name, ANT) == (Node("ant", "a1"),)


@pytest.mark.parametrize("name", ["xline", "xline@x1"])
def test_a_label_of_another_branch_names_its_revision(name: str) -> None:
    """Alembic's branch labels work across branches."""
    assert needs(name, ANT) == (Node("ant", "x1"),)


@pytest.mark.parametrize("name", ["ant@head", "ant@heads"])
def test_at_head_is_every_head_that_is_installed(name: str) -> None:
    """All of that plugin, several heads or one."""
    assert needs(name, ANT) == (Node("ant", "a2"), Node("ant", "x2"))


def test_label_at_head_is_the_head_of_that_line() -> None:
    """Not of the whole branch."""
    assert needs("xline@head", ANT) == (Node("ant", "x2"),)


def test_at_head_of_a_branch_with_a_target_is_the_target() -> None:
    """What is behind the target will not be applied."""
    assert needs("cow@head", tree("cow", chain("c1", "c2"), target="c1")) == (Node("cow", "c1"),)


def test_an_id_of_the_own_branch_comes_before_the_same_id_elsewhere() -> None:
    """Two packages may both have a revision 0001."""
    bee = tree("bee", [revision("0001"), revision("b1", needs=["0001"])])
    graph = Graph([bee, tree("ant", [revision("0001")])])
    assert graph.needs(Node("bee", "b1")) == (Node("bee", "0001"),)


@pytest.mark.parametrize(("name", "revisions"), [("ant@head", ("l2",)), ("ant@l1", ("l1",))])
def test_a_label_of_the_own_branch_comes_before_a_branch_of_that_name(
    name: str, revisions: tuple[str, ...]
) -> None:
    """`x@y` means the own branch first as well."""
    bee = tree("bee", [revision("l1", labels=["ant"]), revision("l2", ["l1"]), revision("b1", needs=[name])])
    graph = Graph([bee, tree("ant", chain("a1", "l1"))])
    assert graph.needs(Node("bee", "b1")) == tuple(Node("bee", found) for found in revisions)


def test_a_branch_is_searched_behind_an_own_label_of_its_name() -> None:
    """What the own branch does not have is looked for in the others."""
    bee = tree("bee", [revision("l1", labels=["ant"]), revision("b1", needs=["ant@a2"])])
    assert Graph([bee, ANT]).needs(Node("bee", "b1")) == (Node("ant", "a2"),)


def test_an_id_in_two_other_branches_is_ambiguous_and_names_both_files() -> None:
    """The hint says how to write it."""
    with pytest.raises(AmbiguousRevisionError) as caught:
        needs("0001", tree("ant", [revision("0001")]), tree("cow", [revision("0001")]))
    assert str(caught.value) == (
        "'0001' may be ant@0001 (ant/0001.py) and cow@0001 (cow/0001.py) (branch 'bee', revision b1, "
        "distribution acme-bee 1.0, file bee/b1.py); write it as 'ant@0001'"
    )


def test_a_label_in_two_other_branches_is_ambiguous() -> None:
    """Labels are unique inside a branch only."""
    others = [tree(name, [revision(f"{name}1", labels=["common"])]) for name in ("ant", "cow")]
    with pytest.raises(AmbiguousRevisionError, match=r"ant/ant1\.py.* and .*cow/cow1\.py"):
        needs("common@head", *others)


def test_a_label_in_two_other_branches_names_the_revision_that_one_of_them_has() -> None:
    """With the revision's id it is not ambiguous."""
    others = [tree(name, [revision(f"{name}1", labels=["common"])]) for name in ("ant", "cow")]
    assert needs("common@cow1", *others) == (Node("cow", "cow1"),)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a11", "did you mean 'a1'?"),
        ("ant@a11", "did you mean 'a1'?"),
        ("amt@a1", "did you mean 'ant'?"),
        ("amt@head", "did you mean 'ant'?"),
        ("ant", "for all of that plugin write 'ant@head'"),
        ("0123456789ab", "install the package that ships it"),
    ],
)
def test_a_name_that_means_nothing_is_told_with_what_to_do(name: str, hint: str) -> None:
    """Who asks for what, in which file of which package."""
    with pytest.raises(MissingRevisionError) as caught:
        needs(name, ANT)
    assert str(caught.value) == (
        f"depends_on {name!r} of bee@b1 is not installed (branch 'bee', revision b1, "
        f"distribution acme-bee 1.0, file bee/b1.py); {hint}"
    )


def test_an_extra_edge_is_one_between_two_revisions() -> None:
    """The first depends on the second."""
    graph = Graph([ANT, tree("bee", chain("b1", "b2"))], extra_edges=[("bee@b2", "ant@a1")])
    assert graph.needs(Node("bee", "b2")) == (Node("bee", "b1"), Node("ant", "a1"))


def test_an_extra_edge_may_lie_inside_a_branch() -> None:
    """Two lines of one package that do not know of each other."""
    graph = Graph([ANT], extra_edges=[("ant@x1", "ant@a2")])
    assert graph.needs(Node("ant", "x1")) == (Node("ant", "a2"),)


def test_an_extra_edge_to_heads_binds_each_of_them() -> None:
    """On either side."""
    graph = Graph(
        [ANT, tree("bee", [revision("b1"), revision("b2")])], extra_edges=[("bee@head", "ant@head")]
    )
    heads = (Node("ant", "a2"), Node("ant", "x2"))
    assert [graph.needs(Node("bee", name)) for name in ("b1", "b2")] == [heads, heads]


@pytest.mark.parametrize("edge", [("ant@a1", "gone@g1"), ("gone@g1", "ant@a1"), ("gone@head", "gone@g1")])
def test_an_extra_edge_of_a_branch_that_is_not_installed_is_ignored(edge: tuple[str, str]) -> None:
    """One configuration serves instances with other plugins."""
    assert Graph([ANT], extra_edges=[edge]).needs(Node("ant", "a1")) == ()


def test_an_extra_edge_of_a_revision_that_is_not_there_is_refused() -> None:
    """The branch is installed, so it is a mistake."""
    with pytest.raises(
        MissingRevisionError, match="extra_edges names 'ant@a11', which is not installed; did you"
    ):
        Graph([ANT], extra_edges=[("ant@a1", "ant@a11")])


def drawn(error: pytest.ExceptionInfo[CycleError]) -> list[str]:
    """The members of the cycle, one a line."""
    return [line.strip() for line in error.value.message.splitlines()[1:]]


def test_a_cycle_through_depends_on_is_drawn_with_its_files() -> None:
    """It is found when the graph is made, before any database is asked."""
    ant = tree("ant", [revision("a1"), revision("a2", ["a1"], ["bee@b1"])])
    bee = tree("bee", [revision("b1", needs=["cow@c1"])])
    cow = tree("cow", [revision("c1", needs=["ant@a2"])])
    with pytest.raises(CycleError) as caught:
        Graph([cow, bee, ant])
    assert drawn(caught) == [
        "ant@a2  (ant/a2.py)",
        "bee@b1  (bee/b1.py)",
        "cow@c1  (cow/c1.py)",
        "ant@a2  (ant/a2.py)",
    ]


def test_a_cycle_through_a_down_revision_in_between_is_drawn_too() -> None:
    """The way goes along the branch as well as across."""
    ant = tree("ant", [revision("a1", needs=["bee@b2"])])
    bee = tree("bee", [revision("b1", needs=["ant@a1"]), revision("b2", ["b1"])])
    with pytest.raises(CycleError) as caught:
        Graph([ant, bee])
    assert drawn(caught) == [
        "ant@a1  (ant/a1.py)",
        "bee@b2  (bee/b2.py)",
        "bee@b1  (bee/b1.py)",
        "ant@a1  (ant/a1.py)",
    ]


def test_a_cycle_through_an_extra_edge_is_drawn_too() -> None:
    """A host cannot turn a chain round."""
    with pytest.raises(CycleError) as caught:
        Graph([ANT], extra_edges=[("ant@a1", "ant@a2")])
    assert drawn(caught) == ["ant@a1  (ant/a1.py)", "ant@a2  (ant/a2.py)", "ant@a1  (ant/a1.py)"]


def test_a_cycle_through_requires_is_drawn_with_the_plugins() -> None:
    """No file is to blame, so the plugins are named."""
    trees = [tree("ant", chain("a"), requires=["bee"]), tree("bee", chain("b"), after=["ant"])]
    with pytest.raises(CycleError) as caught:
        Graph(trees)
    assert drawn(caught) == ["ant", "bee", "ant"]
    assert caught.value.where.distribution == "acme-ant"


def heads_of_each_other() -> Graph:
    """Two branches, each with a revision that asks for all of the other."""
    ant = tree("ant", chain("a1", "a2", needs={"a2": "bee@head"}))
    bee = tree("bee", chain("b1", "b2", needs={"b1": "ant@head"}))
    return Graph([ant, bee])


def test_a_cycle_through_at_head_is_drawn_with_its_files_and_a_hint() -> None:
    """It is one of the pending revisions, so it is found when they are planned."""
    with pytest.raises(
        CycleError, match="stands for all that is installed: name a revision instead"
    ) as caught:
        make_plan(heads_of_each_other(), {})
    assert drawn(caught) == [
        "ant@a2  (ant/a2.py)",
        "bee@b2  (bee/b2.py)",
        "bee@b1  (bee/b1.py)",
        "ant@a2  (ant/a2.py)",
    ]


def test_a_cycle_through_at_head_is_none_once_one_of_them_is_applied() -> None:
    """What is applied waits for nothing any more."""
    plan = make_plan(heads_of_each_other(), {"ant": ["a1"], "bee": ["b1"]})
    assert [str(step.node) for step in plan.steps] == ["bee@b2", "ant@a2"]


def test_the_head_of_the_own_branch_is_a_cycle() -> None:
    """A revision cannot come after itself."""
    graph = Graph([tree("ant", [revision("a1", needs=["ant@head"])])])
    with pytest.raises(CycleError) as caught:
        make_plan(graph, {})
    assert drawn(caught) == ["ant@a1  (ant/a1.py)", "ant@a1  (ant/a1.py)"]


def wanted(graph: Graph, only: str | None = None) -> list[str]:
    """The nodes that are pending in an empty database, sorted."""
    return sorted(map(str, graph.pending({}, only)))


def test_an_edge_asks_for_more_than_the_target_of_the_other_branch() -> None:
    """What a revision needs is applied, although its own branch does not ask for it."""
    graph = Graph(
        [tree("ant", chain("a1", "a2", "a3"), target="a1"), tree("bee", [revision("b1", needs=["a2"])])]
    )
    assert wanted(graph) == ["ant@a1", "ant@a2", "bee@b1"]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ("ant", ["ant@a1", "ant@a2", "corehost@0001"]),
        ("bee", ["ant@a1", "bee@b1", "corehost@0001"]),
        ("cow", ["ant@a1", "bee@b1", "corehost@0001", "cow@c1"]),
    ],
)
def test_one_branch_alone_is_wanted_with_what_it_depends_on(only: str, found: Sequence[str]) -> None:
    """Of a branch that it requires everything; of one that a revision names, that and what is before it."""
    graph = Graph(
        [
            tree("corehost", [revision("0001")]),
            tree("ant", chain("a1", "a2")),
            tree("bee", [revision("b1", needs=["ant@a1"])]),
            tree("cow", [revision("c1")], requires=["bee"]),
        ]
    )
    assert wanted(graph, only) == found


def test_an_unknown_branch_alone_is_told_with_a_suggestion() -> None:
    """A misspelt ``--branch``."""
    with pytest.raises(ConfigurationError, match="there is no branch 'amt'; did you mean 'ant'"):
        Graph([ANT]).pending({}, "amt")


def test_a_bare_name_means_others_before_the_ledger() -> None:
    """The ledger has a revision 0001, as many packages have: it makes no name ambiguous."""
    ledger = tree("corehost", chain("0001"))
    graph = Graph([ledger, tree("ant", chain("0001")), tree("bee", chain("b1", needs={"b1": "0001"}))])
    assert graph.links[Node("bee", "b1")] == (Node("ant", "0001"),)
