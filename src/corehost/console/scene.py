"""What the picture shows: a lane for each branch, a mark for each revision or run of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from corehost.core.graph import Graph
from corehost.core.namespace import LEDGER
from corehost.core.results import BranchStatus
from corehost.core.revision import Node
from corehost.core.toposort import find_cycle
from corehost.core.tree import BranchTree

MarkState = Literal["applied", "running", "pending", "deferred", "failed", "doubt", "beyond", "unknown"]

_ALL_SHOWN: Final = 80
"""Up to so many revisions each has a mark of its own."""
_SHORTEST_RUN: Final = 3
_RUNS: Final = frozenset({"applied", "pending", "deferred", "beyond"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One revision, or a run of them in which nothing happens."""

    branch: str
    revisions: tuple[str, ...]
    """The ids, in order."""
    state: MarkState
    """``beyond``: the target does not ask for it; ``unknown``: the database has it, this code does not."""
    message: str = ""
    """The first line of the file's docstring, where it is one revision."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One mark that needs another; both as places in :attr:`Scene.marks`."""

    needed: int
    by: int
    inside: bool
    """Whether both are of one branch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The whole picture, without places."""

    lanes: tuple[str, ...]
    """The branches, each below those that it comes after."""
    marks: tuple[Mark, ...]
    """Lane by lane, in each every mark after what it needs there."""
    links: tuple[Link, ...]
    """What needs what, without cycles."""
    rails: tuple[tuple[str, str], ...] = ()
    """A branch, and one that comes after it; what follows from others, and the ledger, left out."""


def node_states(graph: Graph, statuses: Iterable[BranchStatus]) -> Mapping[Node, MarkState]:
    """Every installed revision's state, as a look found the branches."""
    known = {status.branch: status for status in statuses if status.branch in graph.trees}
    wanted = graph.wanted()
    return {
        Node(name, revision): state
        for name, tree in graph.trees.items()
        for revision, state in _of_branch(tree, known.get(name), wanted.get(name, frozenset()))
    }


def make_scene(graph: Graph, statuses: Sequence[BranchStatus]) -> Scene:
    """The picture of a graph whose branches are as a look found them."""
    states = node_states(graph, statuses)
    lanes = tuple(sorted(graph.trees, key=graph.branch_rank.__getitem__))
    whole = len(states) <= _ALL_SHOWN
    marks: list[Mark] = []
    place: dict[Node, int] = {}
    strangers: list[Link] = []
    rows = {status.branch: status.applied for status in statuses if status.branch in graph.trees}
    for name in lanes:
        for run in _runs(graph, name, states, whole=whole):
            place |= {Node(name, revision): len(marks) for revision in run}
            marks.append(_mark(graph, name, run, states))
        for row in graph.trees[name].unknown(rows.get(name, ())):
            tips = [i for i, mark in enumerate(marks) if mark.branch == name and mark.state == "applied"]
            strangers += [Link(needed=tip, by=len(marks), inside=True) for tip in tips[-1:]]
            marks.append(Mark(branch=name, revisions=(row,), state="unknown"))
    links = _links(graph, marks, place, whole=whole)
    return Scene(
        lanes=lanes, marks=tuple(marks), links=(*links, *strangers), rails=tuple(_rails(graph, lanes))
    )


def _of_branch(
    tree: BranchTree, status: BranchStatus | None, wanted: frozenset[str]
) -> Iterable[tuple[str, MarkState]]:
    if status is None:  # nothing is known of it: drawn as it is installed
        yield from ((revision, "pending" if revision in wanted else "beyond") for revision in tree.order)
        return
    applied = tree.applied(status.applied)
    pending, deferred = set(status.pending), set(status.deferred)
    first: MarkState | None = None
    if status.state == "migrating":
        first = "running"
    elif status.state == "failed":
        first = "failed"
    elif status.state == "in_doubt":
        first = "doubt"
    for revision in tree.order:
        if revision in deferred:
            yield revision, "deferred"
        elif revision in pending:
            yield revision, first if first and revision == status.pending[0] else "pending"
        elif revision in applied or revision in wanted:
            yield revision, "applied"
        else:
            yield revision, "beyond"


def _runs(
    graph: Graph, name: str, states: Mapping[Node, MarkState], *, whole: bool
) -> Iterable[tuple[str, ...]]:
    """A branch's revisions, those in whose midst nothing happens taken together."""
    tree = graph.trees[name]
    if whole:
        yield from ((revision,) for revision in tree.order)
        return
    children: dict[str, list[str]] = {}
    for revision, parents in tree.parents.items():
        for parent in parents:
            children.setdefault(parent, []).append(revision)
    asked = {need for needs in (graph.links, graph.head_links) for found in needs.values() for need in found}
    run_of: dict[str, list[str]] = {}
    runs: list[list[str]] = []
    for revision in tree.order:
        node, parents = Node(name, revision), tree.parents[revision]
        run = run_of.get(parents[0]) if len(parents) == 1 and len(children[parents[0]]) == 1 else None
        if (
            run is None
            or states[node] not in _RUNS
            or states[Node(name, run[-1])] != states[node]
            # who is applied is of no interest any more; what is pending shows what it waits for
            or (states[node] != "applied" and (graph.foreign_needs(node) or Node(name, run[-1]) in asked))
        ):
            runs.append(run := [])
        run.append(revision)
        run_of[revision] = run
    for found in runs:
        yield from _folded(tuple(found), states[Node(name, found[0])])


def _folded(run: tuple[str, ...], state: MarkState) -> Iterable[tuple[str, ...]]:
    """A run with its ends apart, where somebody looks for them: the newest applied, the next pending."""
    before = run[:1] if state != "applied" else ()
    after = run[-1:]
    middle = run[len(before) : len(run) - 1]
    if len(middle) < _SHORTEST_RUN:
        yield from ((revision,) for revision in run)
        return
    if before:
        yield before
    yield middle
    yield after


def _mark(graph: Graph, name: str, run: tuple[str, ...], states: Mapping[Node, MarkState]) -> Mark:
    message = graph.trees[name].revisions[run[0]].message if len(run) == 1 else ""
    return Mark(branch=name, revisions=run, state=states[Node(name, run[0])], message=message)


def _links(
    graph: Graph, marks: Sequence[Mark], place: Mapping[Node, int], *, whole: bool
) -> tuple[Link, ...]:
    """What needs what between marks; without ``x@head`` where that goes in a circle."""
    for head_links in (graph.head_links, {}):
        links = {}
        for node, by in place.items():
            parents = [
                Node(node.branch, parent) for parent in graph.trees[node.branch].parents[node.revision]
            ]
            for need in (*parents, *graph.links.get(node, ()), *head_links.get(node, ())):
                needed, inside = place[need], need.branch == node.branch
                applied = marks[by].state == "applied"
                if needed == by or (applied and marks[needed].state != "applied"):
                    continue
                if whole or inside or not applied:
                    links[needed, by] = Link(needed=needed, by=by, inside=inside)
        needs: dict[int, list[int]] = {}
        for needed, by in links:
            needs.setdefault(by, []).append(needed)
        if not find_cycle(range(len(marks)), partial(_those, needs)):
            break
    return tuple(links[key] for key in sorted(links))


def _those(needs: Mapping[int, Sequence[int]], of: int) -> Sequence[int]:
    return needs.get(of, ())


def _rails(graph: Graph, lanes: Sequence[str]) -> Iterable[tuple[str, str]]:
    for name in lanes:
        first = [other for other in graph.first[name] if other != LEDGER]
        implied = {far for near in first for far in graph.before(near)}
        yield from ((other, name) for other in first if other not in implied)
