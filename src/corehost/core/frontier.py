"""What of the pending revisions may run now, and which of them goes first."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator

from corehost.core.errors import CycleError
from corehost.core.graph import Graph
from corehost.core.revision import Node
from corehost.core.toposort import find_cycle, find_knot, reached
from corehost.core.tree import draw_cycle


class Frontier:
    """What of a set of pending nodes may run now.

    A node may run when nothing that it needs is pending and, for ``requires``, ``after`` and the
    core, when nothing of the branches before its own is. An edge between revisions wins over these:
    a node is never held back by one that needs it, directly or through others. Where orders of
    branches and edges between revisions still go round in a circle, and nothing else may run, the
    node goes first that the earliest of that circle needs. The answer depends on the pending set
    alone, never on how it came about; so a plan resumed after any prefix is the rest of the plan.

    Raises CycleError where pending revisions wait for each other through ``x@head``.
    """

    def __init__(self, graph: Graph, pending: Iterable[Node]):
        self._graph = graph
        self._left = set(pending)
        self.at_once: frozenset[str] = frozenset(
            name
            for name in {node.branch for node in self._left}
            if graph.trees[name].branch.bootstrap is not None and self._is_untouched(name)
        )
        """The branches that are made at once: nothing of them is applied, and they have a bootstrap."""
        self._together = {name: self._of_all(name) for name in self.at_once}
        self._needed: dict[Node, list[Node]] = {
            node: [
                need
                for need in dict.fromkeys((*graph.needs(node), *self._together.get(node.branch, ())))
                if need in self._left
            ]
            for node in self._left
        }
        self._refuse_cycles()
        self._by_rank = sorted(self._left, key=graph.rank.__getitem__)
        self._earliest = 0
        self._missing: dict[Node, int] = {}
        self._dependents: dict[Node, list[Node]] = {}
        self._of_branch: dict[str, list[Node]] = {name: [] for name in graph.trees}
        for node in self._by_rank:
            needs = self._needed[node]
            self._missing[node] = len(needs)
            for need in needs:
                self._dependents.setdefault(need, []).append(node)
            self._of_branch[node.branch].append(node)
        self._last = {name: self._last_of(name) for name in graph.trees}
        self._branch_left = {name: len(nodes) for name, nodes in self._of_branch.items()}
        self._before: dict[str, int] = {name: len(first) for name, first in graph.first.items()}
        self._followers: dict[str, list[str]] = {}
        for name, first in graph.first.items():
            for earlier in first:
                self._followers.setdefault(earlier, []).append(name)
        self._waiting: dict[str, list[Node]] = {name: [] for name in graph.trees}
        self._contested = self._find_contested()
        self._blockers: dict[Node, list[Node]] = {}
        self._held: dict[Node, list[Node]] = {}
        self._ready: list[tuple[int, Node]] = []
        self._open([name for name, count in self._before.items() if not count])
        for node in self._by_rank:
            if not self._missing[node]:
                self._offer(node)

    def _is_untouched(self, name: str) -> bool:
        """Whether nothing of a branch's target is applied: all the bases of it are pending."""
        tree = self._graph.trees[name]
        return all(
            Node(name, revision) in self._left for revision in tree.wanted if not tree.parents[revision]
        )

    def foreign_needs(self, node: Node) -> tuple[Node, ...]:
        """What must be applied of other branches before a node: of one that is made at once, before any."""
        return self._together.get(node.branch) or self._graph.foreign_needs(node)

    def _of_all(self, name: str) -> tuple[Node, ...]:
        """What anything pending of a branch needs of other branches."""
        pending = sorted(node for node in self._left if node.branch == name)
        return tuple(need for node in pending for need in self._graph.foreign_needs(node))

    def __len__(self) -> int:
        return len(self._left)

    def ready(self) -> tuple[Node, ...]:
        """The nodes that may run now, the best first; empty only when nothing is pending."""
        if not self._left:
            return ()
        first = self.next()
        return tuple(dict.fromkeys([first, *(node for _, node in sorted(self._ready) if node in self._left)]))

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
        for held in self._held.pop(node, ()):
            if held in self._left:
                self._hold(held)
        self._branch_left[node.branch] -= 1
        if not self._branch_left[node.branch] and not self._before[node.branch]:
            self._open(self._close(node.branch))

    def drain(self) -> Iterator[Node]:
        """All nodes in the order of application."""
        while self._left:
            node = self.next()
            yield node
            self.complete(node)

    def _needs(self, node: Node) -> list[Node]:
        return [need for need in self._needed[node] if need in self._left]

    def _push(self, node: Node) -> None:
        heapq.heappush(self._ready, (self._graph.rank[node], node))

    def _offer(self, node: Node) -> None:
        """Nothing that the node needs is pending any more."""
        if not self._before[node.branch]:
            self._push(node)
            return
        self._waiting[node.branch].append(node)
        if node in self._contested:
            self._hold(node)

    def _hold(self, node: Node) -> None:
        """Note one node that holds this one back, or let it in where there is none any more."""
        blockers = self._blockers_of(node)
        while blockers and blockers[-1] not in self._left:
            blockers.pop()
        if blockers:
            self._held.setdefault(blockers[-1], []).append(node)
        else:
            self._push(node)

    def _open(self, names: list[str]) -> None:
        """Let in branches before which nothing is pending any more, and those that this lets in."""
        while names:
            name = names.pop()
            for node in self._waiting[name]:
                if node in self._left:
                    self._push(node)
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

    def _find_contested(self) -> frozenset[Node]:
        """The nodes that something of a branch before their own may need: mostly none."""
        rank = self._graph.branch_rank
        stack = [
            need
            for edges in (self._graph.links, self._graph.head_links)
            for node, needs in edges.items()
            for need in needs
            if rank[need.branch] > rank[node.branch] and node in self._left and need in self._left
        ]
        return frozenset(reached(stack, self._needs))

    def _blockers_of(self, node: Node) -> list[Node]:
        """What is pending of the branches before the node's and does not need it, the earliest last.

        Of each branch only the last ones, which stand for those that they need.
        """
        if node not in self._blockers:
            needing = reached([node], lambda n: self._dependents.get(n, ()))
            contradicting = {n.branch for n in needing}
            self._blockers[node] = [
                blocker
                for name in self._graph.before(node.branch)
                for blocker in (self._last_of(name, needing) if name in contradicting else self._last[name])
            ]
            self._blockers[node].sort(key=self._graph.rank.__getitem__, reverse=True)
        return self._blockers[node]

    def _last_of(self, name: str, besides: Container[Node] = ()) -> list[Node]:
        """The nodes of a branch, ``besides`` and what needs it left out, that no other such node needs."""
        return [
            node
            for node in self._of_branch[name]
            if node in self._left
            and node not in besides
            and all(d.branch != name or d in besides for d in self._dependents.get(node, ()))
        ]

    def _waits_for(self, item: Node | str) -> Iterator[Node | str]:
        """What a node, or a branch by name, waits for."""
        if isinstance(item, str):
            for name in self._graph.first[item]:
                yield from (node for node in self._last[name] if node in self._left)
                if self._before[name]:
                    yield name
            return
        yield from self._needs(item)
        if item in self._contested:
            yield from (node for node in reversed(self._blockers_of(item)) if node in self._left)
        elif self._before[item.branch]:
            yield item.branch

    def _forced(self) -> Node:
        """The node that goes first of those that wait for each other, through the orders of branches too."""
        while self._by_rank[self._earliest] not in self._left:
            self._earliest += 1
        earliest = self._by_rank[self._earliest]
        node = self._first_need(earliest)
        if self._in_one_circle(node, earliest):
            return node
        start: Node | str = earliest
        knot = find_knot(start, self._waits_for)
        return self._first_need(
            min((item for item in knot if not isinstance(item, str)), key=self._graph.rank.__getitem__)
        )

    def _first_need(self, node: Node) -> Node:
        """Of all that a node needs, directly or through others, the first that needs nothing itself."""
        needs = reached([node], self._needs)
        return min((need for need in needs if not self._missing[need]), key=self._graph.rank.__getitem__)

    def _in_one_circle(self, node: Node, earliest: Node) -> bool:
        """Whether all that holds a node back plainly waits for the one that needs it."""
        needed = reached([earliest], self._needs)
        return all(
            earliest in reached([blocker], self._needs)
            if blocker.branch == earliest.branch
            else earliest.branch in self._graph.before(blocker.branch) and blocker not in needed
            for blocker in self._blockers_of(node)
            if blocker in self._left
        )

    def _refuse_cycles(self) -> None:
        through = sorted(node for node in self._graph.head_links if node in self._left)
        if cycle := find_cycle(through, self._needs):
            raise CycleError(
                draw_cycle(cycle, lambda node: self._graph.revision(node).path),
                where=self._graph.trees[cycle[0].branch].where(cycle[0].revision),
                hint="an '@head' stands for all that is installed: name a revision instead",
            )
