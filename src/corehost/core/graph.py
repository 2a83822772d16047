"""The graph of every installed revision: what must come before what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from corehost.core.branch import Branch
from corehost.core.branch_order import branch_ranks
from corehost.core.errors import (
    AmbiguousRevisionError,
    ConfigurationError,
    CycleError,
    MissingRevisionError,
    did_you_mean,
)
from corehost.core.namespace import CORE, LEDGER
from corehost.core.revision import Node, Revision
from corehost.core.toposort import find_cycle, reached
from corehost.core.tree import BranchTree, draw_cycle


class Graph:
    """Nodes (branch, revision) and the edges between them.

    ``down_revision``, ``depends_on`` and ``extra_edges`` are edges between two revisions. ``x@head``
    is one to whatever heads are installed of x. ``requires``, ``after`` and the core's precedence are
    between branches, and give way where an edge between revisions says otherwise.

    Raises GraphError for anything that does not add up: missing and ambiguous names, cycles.
    """

    def __init__(self, trees: Iterable[BranchTree], *, extra_edges: Sequence[tuple[str, str]] = ()):
        self.trees: Mapping[str, BranchTree] = {tree.branch.name: tree for tree in trees}
        """The branches by name."""
        self.branch_rank = branch_ranks([tree.branch for tree in self.trees.values()])
        """Branch -> its place among the branches."""
        self._before: dict[str, frozenset[str]] = {}
        self._names = _Names(self.trees)
        self.links: dict[Node, tuple[Node, ...]] = {}
        """Node -> what it needs in other branches, whatever is applied."""
        self.head_links: dict[Node, tuple[Node, ...]] = {}
        """Node -> the heads that its ``x@head`` stands for today."""
        for tree in self.trees.values():
            for revision, names in tree.foreign.items():
                self._link(Node(tree.branch.name, revision), names)
        self.declared: Mapping[Node, tuple[Node, ...]] = dict(self.links)
        """The same as the files say it, without the edges that the host adds."""
        for first, second in extra_edges:
            self._link_extra(first, second)
        if cycle := find_cycle(sorted(self.links), self._fixed_needs):
            raise CycleError(
                draw_cycle(cycle, lambda node: self.revision(node).path),
                where=self.trees[cycle[0].branch].where(cycle[0].revision),
            )
        for name, tree in self.trees.items():
            if tree.branch.bootstrap is not None:
                self._refuse_to_wait_for_itself(name)

    def revision(self, node: Node) -> Revision:
        """The revision at a node."""
        return self.trees[node.branch].revisions[node.revision]

    def needs(self, node: Node) -> tuple[Node, ...]:
        """Every node that must be applied before this one, by an edge between revisions."""
        return self._fixed_needs(node) + self.head_links.get(node, ())

    def foreign_needs(self, node: Node) -> tuple[Node, ...]:
        """The same, of other branches only."""
        return self.links.get(node, ()) + self.head_links.get(node, ())

    @cached_property
    def first(self) -> Mapping[str, tuple[str, ...]]:
        """Branch -> the branches whose pending revisions come before its own, sorted by rank."""
        return {name: self._first(tree.branch) for name, tree in self.trees.items()}

    def before(self, name: str) -> frozenset[str]:
        """The branches before one, those before these included."""
        if name not in self._before:
            self._before[name] = frozenset(reached(self.first[name], self.first.__getitem__))
        return self._before[name]

    @cached_property
    def rank(self) -> Mapping[Node, int]:
        """Node -> its place in a fixed order of all nodes: by branch, then inside the branch."""
        branches = sorted(self.trees, key=self.branch_rank.__getitem__)
        nodes = (Node(name, revision) for name in branches for revision in self.trees[name].order)
        return {node: place for place, node in enumerate(nodes)}

    def wanted(self, only: str | None = None) -> Mapping[str, frozenset[str]]:
        """Branch -> the revisions that the targets ask for, with all that these need.

        ``only`` restricts it to one branch and what that depends on; ConfigurationError where there
        is no such branch.
        """
        if only is None:
            return self._wanted_by_all
        if only not in self.trees:
            raise ConfigurationError(f"there is no branch {only!r}", hint=did_you_mean(only, self.trees))
        return self._wanted_by({only, LEDGER} & self.trees.keys())

    def pending(self, rows: Mapping[str, Iterable[str]], only: str | None = None) -> frozenset[Node]:
        """The wanted nodes that are not applied, given each branch's rows of its version table."""
        return frozenset(
            Node(name, revision)
            for name, wanted in self.wanted(only).items()
            for revision in wanted - self.trees[name].applied(rows.get(name, ()))
        )

    @cached_property
    def _wanted_by_all(self) -> Mapping[str, frozenset[str]]:
        return self._wanted_by(self.trees)

    def _wanted_by(self, branches: Iterable[str]) -> Mapping[str, frozenset[str]]:
        names = set(branches)
        found: dict[str, set[str]] = {}
        todo_branches = list(names)
        todo: list[Node] = []
        while todo or todo_branches:
            while todo_branches:
                name = todo_branches.pop()
                todo.extend(Node(name, revision) for revision in self.trees[name].wanted)
                earlier = set(self.first[name]) - names
                names |= earlier
                todo_branches.extend(earlier)
            if not todo:
                break
            node = todo.pop()
            if node.revision in (seen := found.setdefault(node.branch, set())):
                continue
            seen.add(node.revision)
            todo.extend(self.needs(node))
            # A node drawn in by an edge brings its branch's predecessors, not its whole branch,
            # unless that may be made at once.
            earlier = set(self.first[node.branch]) - names
            if self.trees[node.branch].branch.bootstrap is not None:
                earlier |= {node.branch} - names
            names |= earlier
            todo_branches.extend(earlier)
        return {name: frozenset(revisions) for name, revisions in found.items()}

    def _fixed_needs(self, node: Node) -> tuple[Node, ...]:
        parents = self.trees[node.branch].parents[node.revision]
        return tuple(Node(node.branch, parent) for parent in parents) + self.links.get(node, ())

    def _first(self, branch: Branch) -> tuple[str, ...]:
        names = {requirement.name for requirement in branch.requires} | set(branch.after)
        if not branch.is_ledger:
            names.add(LEDGER)
            if not branch.is_core:
                names.add(CORE)
        names.discard(branch.name)
        return tuple(sorted(names & self.trees.keys(), key=self.branch_rank.__getitem__))

    def _refuse_to_wait_for_itself(self, name: str) -> None:
        """A branch that is made at once comes after all that any of it needs: none of that may need it."""
        start = [need for node, needs in self.links.items() if node.branch == name for need in needs]
        for node in sorted(reached(start, self._fixed_needs)):
            if node.branch != name and any(need.branch == name for need in self.links.get(node, ())):
                raise CycleError(
                    f"bootstrap makes all of {name!r} at once, which needs {node}, which needs a part of it",
                    where=self.trees[name].where(),
                    hint="take bootstrap out of its mount",
                )

    def _link(self, node: Node, names: Sequence[str]) -> None:
        fixed: list[Node] = []
        heads: list[Node] = []
        for name in names:
            found, is_head = self._names.resolve(node, name)
            (heads if is_head else fixed).extend(found)
        self._add(node, fixed, heads)

    def _link_extra(self, first: str, second: str) -> None:
        """Add one edge of the host; an edge of a branch that is not installed means nothing."""
        for name in (first, second):
            branch, at, _ = name.rpartition("@")
            if at and branch not in self.trees:
                return
        found, is_head = self._names.resolve(None, second)
        for node in self._names.resolve(None, first)[0]:
            self._add(node, () if is_head else found, found if is_head else ())

    def _add(self, node: Node, fixed: Sequence[Node], heads: Sequence[Node]) -> None:
        for edges, more in ((self.links, fixed), (self.head_links, heads)):
            if more:
                # sorted: the order in which settings and files name them may not show in the plan
                edges[node] = tuple(sorted({*edges.get(node, ()), *more}))


class _Names:
    """Finds what a name in ``depends_on`` or ``extra_edges`` stands for, across branches."""

    def __init__(self, trees: Mapping[str, BranchTree]):
        self._trees = trees
        self._ids: dict[str, list[Node]] = {}
        self._labels: dict[str, list[Node]] = {}
        for name in sorted(trees):
            for revision in trees[name].revisions:
                self._ids.setdefault(revision, []).append(Node(name, revision))
            for label, revision in trees[name].labels.items():
                self._labels.setdefault(label, []).append(Node(name, revision))

    def resolve(self, node: Node | None, name: str) -> tuple[tuple[Node, ...], bool]:
        """The nodes that a name stands for, and whether it named heads rather than a revision."""
        prefix, at, inner = name.rpartition("@")
        if not at:
            return (self._one(node, name),), False
        if inner in ("head", "heads"):
            return self._heads(node, prefix, name), True
        if prefix in self._trees and inner in self._trees[prefix].revisions:
            return (Node(prefix, inner),), False
        labelled = (label.branch for label in self._labels.get(prefix, ()))
        if found := [Node(branch, inner) for branch in labelled if inner in self._trees[branch].revisions]:
            return (self._unique(node, name, found),), False
        raise self._missing_part(node, name, prefix)

    def _heads(self, node: Node | None, prefix: str, name: str) -> tuple[Node, ...]:
        """The heads of a label of the node's own branch, of a branch, or of another branch's label."""
        if node is not None and prefix in self._trees[node.branch].labels:
            branch, heads = node.branch, self._trees[node.branch].lineage_heads(prefix)
        elif prefix in self._trees:
            branch, heads = prefix, self._trees[prefix].target_heads
        elif labels := self._labels.get(prefix):
            branch = self._unique(node, prefix, labels).branch
            heads = self._trees[branch].lineage_heads(prefix)
        else:
            raise self._missing_part(node, name, prefix)
        return tuple(Node(branch, head) for head in heads)

    def _one(self, node: Node | None, name: str) -> Node:
        found = self._ids.get(name) or self._labels.get(name)
        if found:
            # A package that knows nothing of corehost means others' revisions before the ledger's.
            return self._unique(node, name, [one for one in found if one.branch != LEDGER] or found)
        if name in self._trees:
            raise self._missing(node, name, f"for all of that plugin write '{name}@head'")
        raise self._missing(node, name, did_you_mean(name, self._ids))

    def _unique(self, node: Node | None, name: str, found: Sequence[Node]) -> Node:
        if len(found) == 1:
            return found[0]
        files = " and ".join(f"{n} ({self._trees[n.branch].revisions[n.revision].path})" for n in found)
        raise AmbiguousRevisionError(
            f"{name!r} may be {files}",
            where=self._trees[node.branch].where(node.revision) if node else None,
            hint=f"write it as '{found[0]}'",
        )

    def _missing_part(self, node: Node | None, name: str, prefix: str) -> MissingRevisionError:
        """The error of a name with a ``prefix@``; its hint is about the part that is not known."""
        _, _, inner = name.rpartition("@")
        tree = self._trees.get(prefix)
        hint = did_you_mean(inner, tree.revisions) if tree else did_you_mean(prefix, self._trees)
        return self._missing(node, name, hint)

    def _missing(self, node: Node | None, name: str, hint: str | None) -> MissingRevisionError:
        if node is None:
            return MissingRevisionError(f"extra_edges names {name!r}, which is not installed", hint=hint)
        return MissingRevisionError(
            f"depends_on {name!r} of {node} is not installed",
            where=self._trees[node.branch].where(node.revision),
            hint=hint or "install the package that ships it",
        )
