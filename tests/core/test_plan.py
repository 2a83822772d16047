"""The plan: what comes before what, and which order wins where two say otherwise."""

from __future__ import annotations

from random import Random

import pytest

from corehost import CycleError, Plan
from corehost.core.graph import Graph
from corehost.core.plan import Frontier, make_plan
from corehost.core.revision import Node, SourceFacts
from corehost.core.tree import BranchTree
from support.graphs import Rows, chain, planned, revision, tree


def plan(*trees: BranchTree, rows: Rows | None = None, only: str | None = None) -> str:
    """The revisions of the plan, in order."""
    steps = make_plan(Graph(trees), rows or {}, only=only).steps
    return " ".join(step.node.revision for step in steps)


def test_nothing_installed_is_an_empty_plan() -> None:
    """An empty plan is false."""
    assert not make_plan(Graph([]), {})


def test_what_is_applied_is_not_planned() -> None:
    """Rows stand for themselves and all before them."""
    assert plan(tree("ant", chain("a1", "a2", "a3")), rows={"ant": ["a2"]}) == "a3"


def test_a_branch_goes_along_its_down_revisions() -> None:
    """Ids are not in the order of application."""
    assert plan(tree("ant", chain("z", "m", "a"))) == "z m a"


def test_a_merge_comes_behind_both_its_lines() -> None:
    """Two bases, one of them longer."""
    revisions = [revision("m", ["a1", "b2"]), *chain("b1", "b2"), revision("a1")]
    assert plan(tree("ant", revisions)) == "a1 b1 b2 m"


def test_every_head_is_a_target() -> None:
    """Several heads are no error where the target is `heads`."""
    assert plan(tree("ant", [revision("a"), revision("b", ["a"]), revision("c", ["a"])])) == "a b c"


def test_branches_that_know_nothing_of_each_other_go_by_name() -> None:
    """One after the other, not interleaved."""
    assert plan(tree("bee", chain("b1", "b2")), tree("ant", chain("a1", "a2"))) == "a1 a2 b1 b2"


def test_the_ledger_comes_first_and_the_core_second() -> None:
    """Whatever the others are called."""
    trees = [tree("ant", chain("a")), tree("core", chain("c")), tree("corehost", chain("l"))]
    assert plan(*trees) == "l c a"


def test_what_is_depended_on_comes_first_and_no_more_of_its_branch_than_that() -> None:
    """An edge between revisions is not one between branches."""
    ant = tree("ant", chain("a1", "a2", needs={"a2": "bee@b1"}))
    assert plan(ant, tree("bee", chain("b1", "b2"))) == "a1 b1 a2 b2"


def test_branches_may_depend_on_each_others_revisions_in_turn() -> None:
    """There and back again."""
    ant = tree("ant", chain("a1", "a2", "a3", needs={"a2": "bee@b1", "a3": "bee@b2"}))
    bee = tree("bee", chain("b1", "b2", needs={"b1": "ant@a1", "b2": "ant@a2"}))
    assert plan(ant, bee) == "a1 b1 a2 b2 a3"


def test_at_head_waits_for_all_that_is_installed() -> None:
    """All of that plugin, which nothing else orders."""
    assert (
        plan(tree("ant", [revision("a1", needs=["bee@head"])]), tree("bee", chain("b1", "b2"))) == "b1 b2 a1"
    )


def test_at_head_of_an_applied_revision_orders_nothing_any_more() -> None:
    """A new revision of that plugin may need what was applied after its former head."""
    ant = tree("ant", chain("a1", "a2", needs={"a1": "bee@head"}))
    bee = tree("bee", chain("b1", "b2", needs={"b2": "ant@a2"}))
    assert plan(ant, bee, rows={"ant": ["a1"], "bee": ["b1"]}) == "a2 b2"


def test_an_applied_revision_of_a_requiring_plugin_orders_nothing_any_more() -> None:
    """A required plugin's new revision comes behind it, as it must."""
    ant, bee = tree("ant", chain("a1", "a2"), requires=["bee"]), tree("bee", chain("b1", "b2"))
    assert plan(ant, bee, rows={"ant": ["a2"], "bee": ["b1"]}) == "b2"


@pytest.mark.parametrize("relation", ["requires", "after"])
def test_what_a_plugin_names_comes_first_all_of_it(relation: str) -> None:
    """Against the order of the names."""
    ant = tree("ant", chain("a1", "a2"), **{relation: ["bee"]})
    assert plan(ant, tree("bee", chain("b1", "b2"))) == "b1 b2 a1 a2"


def test_what_a_plugin_would_come_after_need_not_be_installed() -> None:
    """`after` is an optional order."""
    assert plan(tree("ant", chain("a1"), after=["bee"])) == "a1"


def test_requires_reaches_through_a_plugin_without_revisions() -> None:
    """A bundle of other plugins has no tables of its own."""
    trees = [
        tree("ant", chain("a1"), requires=["bee"]),
        tree("bee", [], requires=["cow"]),
        tree("cow", chain("c1")),
    ]
    assert plan(*trees) == "c1 a1"


def test_requires_reaches_through_a_plugin_that_is_up_to_date() -> None:
    """Nothing of the one in between is pending."""
    trees = [
        tree("ant", chain("a1"), requires=["bee"]),
        tree("bee", chain("b1"), requires=["cow"]),
        tree("cow", chain("c1")),
    ]
    assert plan(*trees, rows={"bee": ["b1"]}) == "c1 a1"


def test_an_edge_wins_over_requires() -> None:
    """Only what is needed goes first, all else keeps its order."""
    ant = tree("ant", chain("a1", "a2", "a3"), requires=["bee"])
    bee = tree("bee", chain("b1", "b2", "b3", needs={"b2": "ant@a1"}))
    assert plan(ant, bee) == "b1 a1 b2 b3 a2 a3"


def test_edges_that_go_back_again_and_again_win_each_time() -> None:
    """A required plugin that follows the one that requires it, step by step."""
    ant = tree("ant", chain("a1", "a2", "a3"), requires=["bee"])
    bee = tree("bee", chain("b1", "b2", "b3", needs={"b1": "a1", "b2": "a2", "b3": "a3"}))
    assert plan(ant, bee) == "a1 b1 a2 b2 a3 b3"


def test_an_edge_wins_over_the_core_too() -> None:
    """The host's own revision may build on a plugin's."""
    core = tree("core", chain("c1", "c2", "c3", needs={"c2": "ant@a1"}))
    assert plan(core, tree("ant", chain("a1", "a2")), tree("bee", chain("b1"))) == "c1 a1 c2 c3 a2 b1"


def test_an_edge_wins_through_others_as_well() -> None:
    """bee's b1 needs cow's c1, which needs ant's a1; ant requires bee all the same."""
    trees = [
        tree("ant", chain("a1", "a2"), requires=["bee"]),
        tree("bee", chain("b0", "b1", "b2", needs={"b1": "c1"})),
        tree("cow", [revision("c1", needs=["a1"])]),
    ]
    assert plan(*trees) == "b0 a1 c1 b1 b2 a2"


def test_an_edge_wins_although_others_could_go_on() -> None:
    """What nothing holds back is not put off until there is nothing else to do."""
    trees = [
        tree("ant", [revision("a1", needs=["bee@b1"])]),
        tree("bee", chain("b1", "b2"), requires=["ant"]),
        tree("zoo", chain("z1")),
    ]
    assert Frontier(Graph(trees), Graph(trees).pending({})).ready() == (Node("bee", "b1"), Node("zoo", "z1"))
    assert plan(*trees) == "b1 a1 b2 z1"


def test_an_independent_line_of_the_required_plugin_still_comes_first() -> None:
    """Only the line that needs the later plugin waits for it."""
    ant = tree("ant", chain("a1", "a2"), requires=["bee"])
    bee = tree("bee", [*chain("b1", "b2", needs={"b1": "a1"}), *chain("x1", "x2")])
    assert plan(ant, bee) == "x1 x2 a1 b1 b2 a2"


def test_a_back_edge_does_not_break_the_order_of_other_branches() -> None:
    """ant needs cow, which requires dog; dog needs elk, which requires dog: only that last one gives way."""
    trees = [
        tree("ant", [revision("a1", needs=["c1"])]),
        tree("cow", [revision("c1")], requires=["dog"]),
        tree("dog", [revision("d1", needs=["e1"])]),
        tree("elk", [revision("e1")], requires=["dog"]),
    ]
    assert plan(*trees) == "e1 d1 c1 a1"


def test_of_two_that_are_needed_the_one_goes_first_that_breaks_no_order() -> None:
    """ant needs cow and elk; cow requires dog, which needs elk: cow still comes behind dog."""
    trees = [
        tree("ant", [revision("a1", needs=["c1", "e1"])]),
        tree("cow", [revision("c1")], requires=["dog"]),
        tree("dog", [revision("d1", needs=["e1"])]),
        tree("elk", [revision("e1")], requires=["ant"]),
    ]
    assert plan(*trees) == "e1 d1 c1 a1"


def chain_of_three(*, middle: bool) -> list[BranchTree]:
    """cow requires bee requires ant; ant's second revision needs cow's first."""
    return [
        tree("ant", chain("a1", "a2", "a3", needs={"a2": "c1"})),
        tree("bee", chain("b1", "b2") if middle else [], requires=["ant"]),
        tree("cow", chain("c1", "c2"), requires=["bee"]),
    ]


def test_a_back_edge_over_a_plugin_without_revisions_is_the_only_exception() -> None:
    """Nothing stands in between, so nothing else gives way."""
    assert plan(*chain_of_three(middle=False)) == "a1 c1 a2 a3 c2"


def test_in_a_circle_of_requires_and_an_edge_the_earliest_gets_what_it_needs() -> None:
    """One of two orders of branches has to give way: that of the branches that come late."""
    assert plan(*chain_of_three(middle=True)) == "a1 c1 a2 a3 b1 b2 c2"


def test_what_is_outside_of_a_circle_keeps_its_order() -> None:
    """The circle of ant, bee and cow changes nothing for those before and behind it."""
    trees = [
        *chain_of_three(middle=True),
        tree("aaa", chain("x1"), requires=["cow"]),
        tree("zoo", chain("z1", needs={"z1": "ant@a1"})),
    ]
    trees[0] = tree("ant", chain("a1", "a2", "a3", needs={"a2": "c1"}), requires=["pig"])
    assert plan(*trees, tree("pig", chain("p1", "p2"))) == "p1 p2 a1 z1 c1 a2 a3 b1 b2 c2 x1"


def test_two_circles_are_each_broken_where_they_must_be() -> None:
    """The one that waits for the other goes second, whatever the names say."""
    trees = [
        tree("ant", chain("a1", needs={"a1": "c1"}), requires=["roe"]),
        tree("bee", chain("b1"), requires=["ant"]),
        tree("cow", chain("c1"), requires=["bee"]),
        tree("roe", chain("r1", needs={"r1": "t1"})),
        tree("sow", chain("s1"), requires=["roe"]),
        tree("tit", chain("t1"), requires=["sow"]),
    ]
    assert plan(*trees) == "t1 r1 s1 c1 a1 b1"


def test_a_long_chain_of_requires_with_a_back_edge_from_its_begin_to_its_end() -> None:
    """Neither recursion nor the number of branches is a limit."""
    names = [f"p{number:03}" for number in range(300)]
    trees = [
        tree(name, chain(f"{name}_1", f"{name}_2"), requires=names[place - 1 : place] if place else ())
        for place, name in enumerate(names)
    ]
    trees[0] = tree("p000", chain("p000_1", "p000_2", needs={"p000_2": "p299_1"}))
    expected = [f"{name}_{number}" for name in names for number in (1, 2)]
    expected.remove("p299_1")
    expected.insert(1, "p299_1")
    assert plan(*trees) == " ".join(expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_what_is_found_changes_nothing(seed: int) -> None:
    """Entry points, files and folders come in any order."""
    trees = [*chain_of_three(middle=True), tree("zoo", chain("z1")), tree("emu", chain("e1"), after=["zoo"])]
    expected = plan(*trees)
    Random(seed).shuffle(trees)
    shuffled = [
        BranchTree(t.branch, Random(seed).sample(list(t.revisions.values()), len(t.revisions))) for t in trees
    ]
    assert plan(*shuffled) == expected


def test_one_branch_alone_is_planned_with_what_it_depends_on() -> None:
    """Others are left as they are."""
    trees = [*chain_of_three(middle=False), tree("zoo", chain("z1", needs={"z1": "a1"}))]
    assert plan(*trees, only="zoo") == "a1 z1"


def test_a_step_says_what_it_needs_of_other_branches() -> None:
    """Resolved, of other branches only."""
    ant = tree("ant", chain("a1", "a2", needs={"a2": "bee@head"}))
    steps = make_plan(Graph([ant, tree("bee", chain("b1"))]), {}).steps
    assert {step.node.revision: step.depends_on for step in steps} == {
        "a1": (),
        "b1": (),
        "a2": (Node("bee", "b1"),),
    }


def test_a_step_is_shown_as_the_contract_says() -> None:
    """The keys of one element of ``steps`` in ``corehost plan --json``."""
    ant = tree("ant", chain("a1", "a2", needs={"a2": "bee@b1"}), schema="colony")
    (step,) = make_plan(Graph([ant, tree("bee", chain("b1"))]), {"ant": ["a1"], "bee": ["b1"]}).steps
    assert step.as_dict() == {
        "branch": "ant",
        "schema": "colony",
        "revision": "a2",
        "down_revision": ["a1"],
        "depends_on": ["bee@b1"],
        "message": "",
        "phase": None,
        "transactional": True,
        "destructive": False,
    }


def test_a_plan_is_told_what_its_sources_say() -> None:
    """The steps' order stays."""
    before = make_plan(Graph([tree("ant", chain("a1", "a2"))]), {})
    after = before.with_facts({Node("ant", "a2"): SourceFacts(destructive=True)})
    assert [(step.node.revision, step.destructive) for step in after.steps] == [("a1", False), ("a2", True)]


def test_a_plan_compares_by_its_steps() -> None:
    """Two plans over the same are equal."""
    graph = Graph([tree("ant", chain("a1"))])
    assert make_plan(graph, {}) == make_plan(graph, {}) != Plan()


def test_a_frontier_refuses_a_cycle_before_anything_is_run() -> None:
    """A pass may not find it half way."""
    ant = tree("ant", chain("a1", "a2", needs={"a2": "bee@head"}))
    bee = tree("bee", chain("b1", "b2", needs={"b2": "ant@head"}))
    graph = Graph([ant, bee])
    with pytest.raises(CycleError):
        Frontier(graph, graph.pending({}))


def test_a_frontier_counts_what_is_left() -> None:
    """Until nothing is."""
    graph = Graph([tree("ant", chain("a1", "a2"))])
    frontier = Frontier(graph, graph.pending({}))
    frontier.complete(Node("ant", "a1"))
    assert (len(frontier), frontier.ready()) == (1, (Node("ant", "a2"),))
    frontier.complete(Node("ant", "a2"))
    assert (len(frontier), frontier.ready()) == (0, ())


def test_ten_thousand_revisions_are_planned() -> None:
    """Five hundred branches of twenty, every third requiring another, each depending on one before it."""
    random = Random(1)
    names = [f"p{number:03}" for number in range(500)]
    trees = []
    for place, name in enumerate(names):
        needs = {f"{name}_05": f"{random.choice(names[:place])}_03"} if place else {}
        revisions = chain(*(f"{name}_{number:02}" for number in range(20)), needs=needs)
        trees.append(tree(name, revisions, requires=names[place - 1 : place] if place % 3 else ()))
    assert len(set(planned(Graph(trees)))) == 10_000
