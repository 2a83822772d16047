"""Where the picture puts things: pure, over graphs drawn at random and over large ones."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corehost.console.layout import Layout, Metrics, Point, arrange, rails
from corehost.console.scene import Scene, make_scene
from corehost.core.branch import Origin
from corehost.core.frontier import Frontier
from corehost.core.graph import Graph
from corehost.core.results import BranchState, BranchStatus
from support.graphs import chain, draw, tree


def statuses(
    graph: Graph, rows: dict[str, tuple[str, ...]], state: BranchState = "pending"
) -> list[BranchStatus]:
    """What a look finds where the version tables have these rows."""
    pending: dict[str, list[str]] = {name: [] for name in graph.trees}
    for node in Frontier(graph, graph.pending(rows)).drain():
        pending[node.branch].append(node.revision)
    return [
        BranchStatus(
            branch=name,
            schema=name,
            origin=Origin(),
            state=state if pending[name] else "current",
            applied=rows.get(name, ()),
            heads=found.target_heads,
            pending=tuple(pending[name]),
        )
        for name, found in graph.trees.items()
    ]


def arranged(graph: Graph, rows: dict[str, tuple[str, ...]]) -> tuple[Scene, Layout]:
    """The scene and its places."""
    scene = make_scene(graph, statuses(graph, rows))
    return scene, arrange(scene, Metrics())


def large(applied: int) -> tuple[Graph, dict[str, tuple[str, ...]]]:
    """Thirty branches of a hundred and fifty revisions, so many of each applied."""
    names = [f"p{number:02}" for number in range(30)]
    trees = [
        tree(
            name,
            chain(
                *(f"{name}r{place:03}" for place in range(150)),
                needs={f"{name}r140": f"{before}@{before}r130"} if before else None,
            ),
            requires=[before] if before else [],
        )
        for before, name in zip([None, *names], names, strict=False)
    ]
    rows = {name: (f"{name}r{applied - 1:03}",) if applied else () for name in names}
    return Graph(trees), rows


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=40))
@settings(max_examples=150, deadline=None)
def test_every_revision_has_one_mark_right_of_what_it_needs(seed: int, nodes: int) -> None:
    """Every revision is in one mark; no two marks meet; each is right of what it needs, in its lane."""
    random = Random(seed)
    drawn = draw(random, nodes=nodes)
    graph = drawn.graph()
    applied = drawn.closed(random.sample(sorted(graph.rank), random.randint(0, len(graph.rank))))
    scene, layout = arranged(graph, drawn.rows(applied))
    shown = sorted((mark.branch, revision) for mark in scene.marks for revision in mark.revisions)
    assert shown == sorted(graph.rank)
    assert len(set(layout.places)) == len(layout.places)
    for link in scene.links:
        assert layout.places[link.needed].x < layout.places[link.by].x
    tops = dict(zip(scene.lanes, pairwise(layout.tops), strict=True))
    for mark, place in zip(scene.marks, layout.places, strict=True):
        top, bottom = tops[mark.branch]
        assert top < place.y < bottom
        assert 0 < place.x < layout.width


@given(st.integers(min_value=0))
@settings(max_examples=100, deadline=None)
def test_lines_lead_from_mark_to_mark_at_right_angles(seed: int) -> None:
    """Each line begins and ends at its marks, turns at right angles only, and runs through no other mark."""
    scene, layout = arranged(draw(Random(seed), nodes=20).graph(), {})
    for link, route in zip(scene.links, layout.routes, strict=True):
        ends = layout.places[link.needed], layout.places[link.by]
        assert (route[0], route[-1]) == ends
        for one, other in pairwise(route):
            assert one.x == other.x or one.y == other.y
            assert not any(_is_on(place, one, other) for place in set(layout.places) - set(ends))


@pytest.mark.parametrize("applied", [0, 75, 150])
def test_a_large_graph_is_folded(applied: int) -> None:
    """Of thirty branches with 150 revisions each a few marks are left, whatever of them is applied."""
    scene, layout = arranged(*large(applied))
    assert sum(len(mark.revisions) for mark in scene.marks) == 4500
    assert len(scene.marks) <= 30 * 12
    assert layout.width < 1600


def test_what_somebody_looks_for_is_not_folded() -> None:
    """The newest revision that is applied, the next one, and the last have marks of their own."""
    scene, _ = arranged(*large(75))
    single = {mark.revisions[0] for mark in scene.marks if len(mark.revisions) == 1}
    assert {"p07r074", "p07r075", "p07r149"} <= single


@pytest.mark.parametrize(
    ("state", "mark"), [("migrating", "running"), ("failed", "failed"), ("in_doubt", "doubt")]
)
def test_the_revision_at_hand_shows_the_branchs_state(state: BranchState, mark: str) -> None:
    """Of a branch that is being migrated, or has failed, the next revision says so; those behind it wait."""
    graph = Graph([tree("a", chain("a1", "a2", "a3"))])
    scene = make_scene(graph, statuses(graph, {"a": ("a1",)}, state))
    assert [found.state for found in scene.marks] == ["applied", mark, "pending"]


def test_what_this_code_does_not_know_is_shown() -> None:
    """A row of the version table that is not installed stands behind the newest that is."""
    graph = Graph([tree("a", chain("a1", "a2"))])
    scene = make_scene(graph, statuses(graph, {"a": ("a2", "a9")}))
    assert (scene.marks[-1].revisions, scene.marks[-1].state) == (("a9",), "unknown")
    assert scene.links[-1].needed == 1


def test_only_the_nearest_order_between_branches_is_drawn() -> None:
    """A branch is joined to those that it comes after, not to those that come before these anyway."""
    trees = [tree("a", chain("a1")), tree("b", chain("b1"), requires=["a"])]
    trees.append(tree("c", chain("c1"), requires=["a", "b"]))
    assert make_scene(Graph(trees), ()).rails == (("a", "b"), ("b", "c"))


def test_lines_between_branches_that_pass_each_other_stand_apart() -> None:
    """Two branches whose dependents lie between each other's get lines of their own; others share one."""
    lanes = ["a", "b", "c", "d", "e", "f"]
    slots = rails([("a", "c"), ("b", "d"), ("e", "f")], lanes)
    assert slots["a"] != slots["b"]
    assert slots["e"] == min(slots.values())


def _is_on(place: Point, one: Point, other: Point) -> bool:
    across = min(one.x, other.x) <= place.x <= max(one.x, other.x)
    return across and min(one.y, other.y) <= place.y <= max(one.y, other.y)
