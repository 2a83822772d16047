"""What holds of every plan over every graph: drawn at random, orders of branches often against edges."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corehost.core.graph import Graph
from corehost.core.plan import Frontier, make_plan
from corehost.core.revision import Node
from support.graphs import Drawn, closure, draw, planned
from support.processes import Processes

TESTS = Path(__file__).parents[1]
graphs = st.randoms(use_true_random=False).map(draw)
randoms = st.randoms(use_true_random=False)
thorough = settings(max_examples=60, deadline=None)
# An order of branches that need not give way, in the middle of some that must, is drawn seldom.
patient = settings(max_examples=200, deadline=None)


def order(graph: Graph, rows: dict[str, tuple[str, ...]]) -> list[Node]:
    """The nodes of the plan."""
    return [step.node for step in make_plan(graph, rows).steps]


def some_applied(drawn: Drawn, random: Random) -> frozenset[Node]:
    """Applied nodes, with all that they need."""
    nodes = sorted(drawn.edges)
    return drawn.closed(random.sample(nodes, random.randint(0, len(nodes))))


def drained(drawn: Drawn, applied: Iterable[Node], random: Random) -> list[Node]:
    """An order in which several instances may run what is pending: any of what is ready, every time."""
    graph = drawn.graph()
    frontier = Frontier(graph, graph.pending(drawn.rows(applied)))
    found = []
    while ready := frontier.ready():
        found.append(random.choice(ready))
        frontier.complete(found[-1])
    return found


def assert_edges_respected(drawn: Drawn, found: Sequence[Node]) -> None:
    """No node comes before one that it needs."""
    places = {node: place for place, node in enumerate(found)}
    for node, needs in drawn.edges.items():
        for need in needs:
            if node in places and need in places:
                assert places[need] < places[node], f"{node} comes before {need}"


def assert_branches_respected(drawn: Drawn, found: Sequence[Node]) -> None:
    """A branch's nodes come behind those of the branches before it, edges between revisions excepted.

    Excepted are: a node that the other one needs, directly or through others; and nodes that could
    only wait for each other in a circle, through edges and through orders of branches.
    """
    for place, node in enumerate(found):
        left = found[place:]
        waits = _waits(drawn, left)
        for other in waits[node]:
            assert node in closure([other], waits), f"{node} comes before {other}"


def _waits(drawn: Drawn, left: Sequence[Node]) -> dict[Node, frozenset[Node]]:
    """Node -> what it waits for: what it needs, and what of earlier branches does not need it."""
    needs = {node: drawn.edges[node] & set(left) for node in left}
    needing = {node: {other for other in left if node in closure([other], needs)} for node in left}
    return {
        node: frozenset(needs[node])
        | {
            other
            for other in left
            if other.branch in drawn.earlier[node.branch] and other not in needing[node]
        }
        for node in left
    }


@thorough
@given(graphs, randoms)
def test_every_edge_is_respected(drawn: Drawn, random: Random) -> None:
    """Whatever is applied, no step comes before one that it needs."""
    assert_edges_respected(drawn, order(drawn.graph(), drawn.rows(some_applied(drawn, random))))


@patient
@given(graphs, randoms)
def test_the_order_of_branches_is_respected_where_no_edge_says_otherwise(
    drawn: Drawn, random: Random
) -> None:
    """Whatever is applied, what a plugin requires comes before its own, all of it."""
    assert_branches_respected(drawn, order(drawn.graph(), drawn.rows(some_applied(drawn, random))))


@thorough
@given(graphs, randoms)
def test_the_plan_is_complete(drawn: Drawn, random: Random) -> None:
    """The plan has every wanted node that is not applied, once, and nothing else."""
    applied = some_applied(drawn, random)
    found = order(drawn.graph(), drawn.rows(applied))
    assert sorted(found) == sorted(drawn.wanted - applied)


@thorough
@given(graphs, randoms)
def test_the_plan_is_the_same_in_whatever_order_things_are_found(drawn: Drawn, random: Random) -> None:
    """Branches, revisions and extra edges given in another order give the same steps."""
    rows = drawn.rows(some_applied(drawn, random))
    assert make_plan(drawn.graph(random), rows).steps == make_plan(drawn.graph(), rows).steps


@thorough
@given(graphs, randoms)
def test_a_plan_after_any_of_its_prefixes_is_the_rest(drawn: Drawn, random: Random) -> None:
    """A pass that was stopped anywhere goes on as if it had not been."""
    graph, applied = drawn.graph(), some_applied(drawn, random)
    found = order(graph, drawn.rows(applied))
    for place in range(len(found) + 1):
        assert order(graph, drawn.rows({*applied, *found[:place]})) == found[place:]


@thorough
@given(graphs, randoms)
def test_the_frontier_offers_nothing_that_needs_a_pending_node(drawn: Drawn, random: Random) -> None:
    """Of what is ready, each could be run at once."""
    graph = drawn.graph()
    left = set(graph.pending(drawn.rows(some_applied(drawn, random))))
    frontier = Frontier(graph, left)
    while ready := frontier.ready():
        assert not any(drawn.edges[node] & left for node in ready)
        node = random.choice(ready)
        frontier.complete(node)
        left.remove(node)


@thorough
@given(graphs, randoms)
def test_the_first_that_is_ready_is_the_next(drawn: Drawn, random: Random) -> None:
    """What an instance alone runs is the plan, whatever others have run in between."""
    graph, applied = drawn.graph(), some_applied(drawn, random)
    left = set(graph.pending(drawn.rows(applied)))
    frontier = Frontier(graph, left)
    while ready := frontier.ready():
        assert frontier.next() == ready[0] == next(Frontier(graph, left).drain())
        assert ready == Frontier(graph, left).ready()
        node = random.choice(ready)
        frontier.complete(node)
        left.remove(node)


@thorough
@given(graphs, randoms)
def test_several_instances_together_run_everything(drawn: Drawn, random: Random) -> None:
    """Taking any of what is ready, not the first, ends with nothing left."""
    applied = some_applied(drawn, random)
    assert sorted(drained(drawn, applied, random)) == sorted(drawn.wanted - applied)


@thorough
@given(drawn=graphs, random=randoms)
@pytest.mark.parametrize("respected", [assert_edges_respected, assert_branches_respected])
def test_several_instances_together_keep_every_order(
    drawn: Drawn, random: Random, respected: Callable[[Drawn, Sequence[Node]], None]
) -> None:
    """Taking any of what is ready keeps edges and orders of branches as the plan does."""
    respected(drawn, drained(drawn, some_applied(drawn, random), random))


@thorough
@given(graphs, randoms)
def test_one_branch_alone_takes_what_it_needs_along(drawn: Drawn, random: Random) -> None:
    """A plan for one branch keeps every edge and every order, and can be resumed anywhere."""
    graph = drawn.graph()
    only = random.choice([found.name for found, _ in drawn.branches])
    found = [step.node for step in make_plan(graph, {}, only=only).steps]
    assert drawn.closed(node for node in drawn.ends if node.branch in {only, *drawn.earlier[only]}) <= set(
        found
    )
    assert_edges_respected(drawn, found)
    assert_branches_respected(drawn, found)
    for place in range(len(found) + 1):
        rest = make_plan(graph, drawn.rows(found[:place]), only=only)
        assert [step.node for step in rest.steps] == found[place:]


PLANS = """\
import json, random
from support.graphs import draw, planned
print(json.dumps([planned(draw(random.Random(seed), nodes=30).graph()) for seed in range(100)]))
"""


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_the_plan_is_the_same_in_a_process_with_another_hash_seed(
    processes: Processes, hash_seed: str
) -> None:
    """Two instances that hash texts differently plan the same hundred graphs alike."""
    process = processes.python(PLANS, path=[TESTS], extra={"PYTHONHASHSEED": hash_seed})
    finished = process.wait()
    assert finished.returncode == 0, finished.stderr
    here = [planned(draw(Random(seed), nodes=30).graph()) for seed in range(100)]
    assert json.loads(finished.stdout) == here
