"""Graphs of revisions for tests: by hand in a line each, or drawn at random with what must hold of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from corehost.core.branch import Branch, Origin
from corehost.core.graph import Graph
from corehost.core.namespace import CORE, LEDGER, Namespace, version_table_for
from corehost.core.plan import make_plan
from corehost.core.requirement import Requirement
from corehost.core.revision import Node, Revision
from corehost.core.tree import BranchTree

Rows = Mapping[str, Iterable[str]]
Edges = Mapping[Node, frozenset[Node]]


def revision(
    name: str, down: Sequence[str] = (), needs: Sequence[str] = (), labels: Sequence[str] = ()
) -> Revision:
    """One revision; its file is set by :func:`tree`."""
    return Revision(
        revision=name, down_revision=tuple(down), depends_on=tuple(needs), branch_labels=tuple(labels)
    )


def chain(*names: str, needs: Mapping[str, str] | None = None) -> list[Revision]:
    """Revisions in a row, the first a base; ``needs`` has the ``depends_on`` of some of them."""
    found = []
    for place, name in enumerate(names):
        needed = (needs or {}).get(name)
        found.append(revision(name, names[max(0, place - 1) : place], (needed,) if needed else ()))
    return found


def tree(
    name: str,
    revisions: Iterable[Revision],
    *,
    schema: str | None = None,
    requires: Sequence[str] = (),
    after: Sequence[str] = (),
    target: str = "heads",
) -> BranchTree:
    """A branch with its revisions, in files ``<name>/<revision>.py`` of distribution ``acme-<name>``."""
    return BranchTree(
        branch(name, schema=schema, requires=requires, after=after, target=target),
        [replace(r, path=f"{name}/{r.revision}.py") for r in revisions],
    )


def branch(
    name: str,
    *,
    schema: str | None = None,
    requires: Sequence[str] = (),
    after: Sequence[str] = (),
    target: str = "heads",
) -> Branch:
    """A branch without files."""
    schema = schema or name
    return Branch(
        name=name,
        namespace=Namespace(schema=schema, version_table=version_table_for(name, schema)),
        locations=(),
        script_location=Path(),
        origin=Origin(distribution=f"acme-{name}", version="1.0"),
        requires=tuple(Requirement(name=required) for required in requires),
        after=tuple(after),
        target=target,
    )


def planned(graph: Graph, rows: Rows | None = None, *, only: str | None = None) -> list[str]:
    """The plan's nodes as text, in order."""
    return [str(step.node) for step in make_plan(graph, rows or {}, only=only).steps]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Branches drawn at random, and by construction what must hold of every plan over them."""

    branches: Sequence[tuple[Branch, Sequence[Revision]]]
    extra_edges: Sequence[tuple[str, str]]
    edges: Edges
    """Node -> the nodes that an edge between revisions puts before it; never a cycle."""
    inside: Edges
    """The same inside a branch alone, ``extra_edges`` left out."""
    earlier: Mapping[str, frozenset[str]]
    """Branch -> the branches that come before it by ``requires``, ``after``, core and ledger, in the end."""
    ends: frozenset[Node]
    """What the branches' targets name."""

    @property
    def wanted(self) -> frozenset[Node]:
        """What the targets ask for, with all that it needs."""
        return self.closed(self.ends)

    def graph(self, random: Random | None = None) -> Graph:
        """The graph; all that is given to it in another order where a ``random`` is given."""
        branches, extra_edges = list(self.branches), list(self.extra_edges)
        if random is not None:
            random.shuffle(branches)
            random.shuffle(extra_edges)
            branches = [(found, random.sample(revisions, len(revisions))) for found, revisions in branches]
        return Graph([BranchTree(found, revisions) for found, revisions in branches], extra_edges=extra_edges)

    def rows(self, applied: Iterable[Node]) -> dict[str, tuple[str, ...]]:
        """What the version tables hold where these nodes are applied: in each the last ones."""
        applied = set(applied)
        implied = {parent for node in applied for parent in self.inside[node]}
        rows: dict[str, list[str]] = {found.name: [] for found, _ in self.branches}
        for node in sorted(applied - implied):
            rows[node.branch].append(node.revision)
        return {name: tuple(found) for name, found in rows.items()}

    def closed(self, nodes: Iterable[Node]) -> frozenset[Node]:
        """These nodes and all that they need."""
        return frozenset(closure(nodes, self.edges))


def closure(nodes: Iterable[Node], edges: Edges) -> set[Node]:
    """These nodes and all that edges lead to."""
    seen = set(nodes)
    stack = list(seen)
    while stack:
        for other in edges.get(stack.pop(), ()):
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return seen


def draw(random: Random, *, nodes: int = 16) -> Drawn:
    """Up to six branches with several bases, merges and heads.

    Edges between branches never make a cycle; the orders of branches, by ``requires`` and ``after``, are
    drawn without a look at them, so the two often contradict each other.
    """
    names = random.sample(["ant", "bee", "cow", "dog", "elk"], random.choice([1, 2, 3, 4, 4, 5, 5, 5]))
    names += [name for name in (CORE, LEDGER) if random.random() < 0.2]
    headers: dict[Node, Revision] = {}
    edges: dict[Node, set[Node]] = {}
    inside: dict[Node, set[Node]] = {}
    for place in range(random.choice([random.randint(0, nodes), nodes])):
        name = random.choice(names)
        node = Node(name, f"{name[0]}{random.randint(0, 9)}{place:02}")
        own = [other for other in headers if other.branch == name]
        down = random.sample(own, min(len(own), random.choice([0, 0, 1, 1, 2])))
        needs = random.sample(list(headers), min(len(headers), random.choice([0, 0, 1, 1, 2])))
        edges[node] = {*down, *needs}
        inside[node] = {other for other in edges[node] if other.branch == name}
        written = [random.choice([other.revision, str(other)]) for other in needs]
        headers[node] = revision(node.revision, [other.revision for other in down], written)
    targets = {
        name: random.choice(own)
        for name in names
        if (own := [node.revision for node in headers if node.branch == name]) and random.random() < 0.15
    }
    extra_edges = []
    for _ in range(random.choice([0, 0, 1, 2]) if len(headers) > 1 else 0):
        second, first = sorted(random.sample(list(headers), 2), key=list(headers).index)
        edges[first].add(second)
        extra_edges.append((str(first), str(second)))
    _add_last_ones(random, names, headers, edges, inside, targets)
    order = random.sample(names, len(names))
    before = {
        name: [other for other in order[: order.index(name)] if random.random() < 0.4]
        for name in names
        if name not in (CORE, LEDGER)
    }
    branches = []
    for name in names:
        required = [other for other in before.get(name, ()) if random.random() < 0.7]
        after = [other for other in before.get(name, ()) if other not in required]
        found = branch(name, requires=required, after=after, target=targets.get(name, "heads"))
        own = [
            replace(header, path=f"{name}/{header.revision}.py")
            for node, header in headers.items()
            if node.branch == name
        ]
        branches.append((found, own))
    ends = [node for node in headers if node.branch not in targets or node.revision == targets[node.branch]]
    return Drawn(
        branches=branches,
        extra_edges=extra_edges,
        edges={node: frozenset(found) for node, found in edges.items()},
        inside={node: frozenset(found) for node, found in inside.items()},
        earlier={name: _earlier(name, names, before) for name in names},
        ends=frozenset(ends),
    )


def _add_last_ones(
    random: Random,
    names: Sequence[str],
    headers: dict[Node, Revision],
    edges: dict[Node, set[Node]],
    inside: dict[Node, set[Node]],
    targets: Mapping[str, str],
) -> None:
    """Give some branches a last revision that needs ``x@head``, where x gets nothing more."""
    finished: list[str] = []
    for name in random.sample(list(names), len(names)):
        if finished and random.random() < 0.3:
            other = random.choice(finished)
            node = Node(name, f"{name[0]}99")
            own = [found for found in headers if found.branch == name]
            down = random.sample(own, min(len(own), 1))
            headed = [found for found in headers if found.branch == other]
            implied = {parent for found in headed for parent in inside[found]}
            heads = {Node(other, targets[other])} if other in targets else set(headed) - implied
            headers[node] = revision(node.revision, [found.revision for found in down], [f"{other}@head"])
            edges[node] = {*down, *heads}
            inside[node] = set(down)
        finished.append(name)


def _earlier(name: str, names: Sequence[str], before: Mapping[str, Sequence[str]]) -> frozenset[str]:
    seen: set[str] = set()
    stack = [name]
    while stack:
        found = stack.pop()
        direct = set(before.get(found, ()))
        if found != LEDGER:
            direct |= {LEDGER} & set(names)
            if found != CORE:
                direct |= {CORE} & set(names)
        stack.extend(direct - seen)
        seen |= direct
    return frozenset(seen)
