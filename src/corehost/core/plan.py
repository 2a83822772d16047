"""The plan: the ordered steps from what is applied to what is installed. A pure decision."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from corehost.core.errors import CycleError
from corehost.core.graph import Graph
from corehost.core.namespace import Namespace
from corehost.core.revision import Node, Revision, SourceFacts
from corehost.core.toposort import find_cycle
from corehost.core.tree import draw_cycle


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One revision to be applied."""

    node: Node
    """Branch and revision."""
    namespace: Namespace
    """Where it is applied: schema, version table, lock key."""
    revision: Revision
    """The header of its file."""
    depends_on: tuple[Node, ...] = ()
    """The revisions of other branches that it needs, resolved."""
    facts: SourceFacts = SourceFacts()
    """What its source tells beyond the header; read for pending revisions only."""

    @property
    def message(self) -> str:
        """The first line of the file's docstring."""
        return self.revision.message

    @property
    def transactional(self) -> bool:
        """Whether the whole step is one transaction, as far as its source shows."""
        return self.facts.transactional

    @property
    def destructive(self) -> bool:
        """Whether it drops or narrows data, as far as its source shows."""
        return self.facts.destructive

    def as_dict(self) -> dict[str, object]:
        """One element of ``steps`` in ``corehost plan --json``."""
        return {
            "branch": self.node.branch,
            "schema": self.namespace.schema,
            "revision": self.node.revision,
            "down_revision": list(self.revision.down_revision),
            "depends_on": [str(node) for node in self.depends_on],
            "message": self.message,
            "phase": self.facts.phase,
            "transactional": self.transactional,
            "destructive": self.destructive,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of a pass, in the order of application."""

    steps: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)

    def with_facts(self, facts: Mapping[Node, SourceFacts]) -> Plan:
        """The same plan, its steps told what their sources say."""
        return Plan(steps=tuple(replace(s, facts=facts.get(s.node, s.facts)) for s in self.steps))


def make_plan(graph: Graph, rows: Mapping[str, Iterable[str]], *, only: str | None = None) -> Plan:
    """The steps from ``rows`` (branch -> rows of its version table) to every branch's target.

    A pure function, and the same for every instance that has the same branches installed. A plan
    made after any of its prefixes is applied is the rest of it. Raises CycleError where pending
    revisions wait for each other through ``x@head``.
    """
    return Plan(steps=tuple(step_at(graph, node) for node in Frontier(graph, graph.pending(rows, only)).drain()))


def step_at(graph: Graph, node: Node) -> Step:
    """The step that applies a node."""
    return Step(
        node=node,
        namespace=graph.trees[node.branch].branch.namespace,
        revision=graph.revision(node),
        depends_on=graph.foreign_needs(node),
    )


class Frontier:
    """What of a set of pending nodes may run now.

    A node may run when nothing that it needs is pending and, for ``requires``, ``after`` and the
    core, when nothing of the branches before its own is. Where these wait for each other because of
    an edge between revisions, that edge wins: the node goes first that the earliest pending one
    needs. The answer depends on the pending set alone, never on how it came about; so a plan resumed
    after any prefix is the rest of the plan.
    """

    def __init__(self, graph: Graph, pending: Iterable[Node]):
        self._graph = graph
        self._left = set(pending)
        self._missing: dict[Node, int] = {}
        self._dependents: dict[Node, list[Node]] = {}
        for node in self._left:
            needs = [need for need in set(graph.needs(node)) if need in self._left]
            self._missing[node] = len(needs)
            for need in needs:
                self._dependents.setdefault(need, []).append(node)
        self._waiting: dict[str, list[Node]] = {name: [] for name in graph.trees}
        self._branch_left = dict.fromkeys(graph.trees, 0)
        for node in self._left:
            self._branch_left[node.branch] += 1
        self._before: dict[str, int] = {name: len(first) for name, first in graph.first.items()}
        self._followers: dict[str, list[str]] = {}
        for name, first in graph.first.items():
            for earlier in first:
                self._followers.setdefault(earlier, []).append(name)
        self._ready: list[tuple[int, Node]] = []
        self._by_rank = sorted(self._left, key=graph.rank.__getitem__)
        self._earliest = 0
        for node in self._left:
            if not self._missing[node]:
                self._waiting[node.branch].append(node)
        self._open([name for name, count in self._before.items() if not count])

    def __len__(self) -> int:
        return len(self._left)

    def ready(self) -> tuple[Node, ...]:
        """The nodes that may run now, the best first; empty only when nothing is pending."""
        while self._ready and self._ready[0][1] not in self._left:
            heapq.heappop(self._ready)
        if self._ready:
            return tuple(node for _, node in sorted(self._ready) if node in self._left)
        return (self._forced(),) if self._left else ()

    def next(self) -> Node:
        """The first of :meth:`ready`."""
        while self._ready and self._ready[0][1] not in self._left:
            heapq.heappop(self._ready)
        return self._ready[0][1] if self._ready else self._forced()

    def complete(self, node: Node) -> None:
        """Take out a node that has been applied."""
        self._left.remove(node)
        for dependent in self._dependents.get(node, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent] and dependent in self._left:
                self._offer(dependent)
        self._branch_left[node.branch] -= 1
        if not self._branch_left[node.branch] and not self._before[node.branch]:
            self._open(self._close(node.branch))

    def drain(self) -> Iterator[Node]:
        """All nodes in the order of application."""
        while self._left:
            node = self.next()
            yield node
            self.complete(node)

    def _offer(self, node: Node) -> None:
        if self._before[node.branch]:
            self._waiting[node.branch].append(node)
        else:
            heapq.heappush(self._ready, (self._graph.rank[node], node))

    def _open(self, names: list[str]) -> None:
        """Let in branches before which nothing is pending any more, and those that this lets in."""
        while names:
            name = names.pop()
            for node in self._waiting[name]:
                if node in self._left:
                    heapq.heappush(self._ready, (self._graph.rank[node], node))
            self._waiting[name].clear()
            if not self._branch_left[name]:
                names += self._close(name)

    def _close(self, name: str) -> list[str]:
        """Neither this branch nor anything before it is pending: the branches that this lets in."""
        opened = []
        for follower in self._followers.get(name, ()):
            self._before[follower] -= 1
            if not self._before[follower]:
                opened.append(follower)
        return opened

    def _forced(self) -> Node:
        """The node that must go first although a branch before its own has something pending."""
        while self._by_rank[self._earliest] not in self._left:
            self._earliest += 1
        start = self._by_rank[self._earliest]
        seen = {start}
        stack = [start]
        found: list[Node] = []
        while stack:
            node = stack.pop()
            if not self._missing[node]:
                found.append(node)
            for need in self._graph.needs(node):
                if need in self._left and need not in seen:
                    seen.add(need)
                    stack.append(need)
        if not found:
            cycle = find_cycle(sorted(seen), lambda n: [m for m in self._graph.needs(n) if m in self._left])
            raise CycleError(
                draw_cycle(cycle, lambda n: self._graph.revision(n).path),
                where=self._graph.trees[cycle[0].branch].where(cycle[0].revision),
                hint="an '@head' stands for all that is installed: name a revision instead",
            )
        return min(found, key=self._graph.rank.__getitem__)
