"""Which branches a host goes on without, when their migrations cannot be done: pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from corehost.core.graph import Graph
from corehost.core.namespace import CORE, LEDGER
from corehost.core.revision import Node


def leave_out(
    graph: Graph,
    wrong: Iterable[str],
    pending: Collection[Node],
    optional: Callable[[str], bool],
    *,
    only: str | None = None,
) -> Mapping[str, str]:
    """Branch -> the branch on whose account it is left out: itself, or one that it cannot do without.

    ``wrong`` are the branches that cannot be migrated, ``optional`` says which of them the host may go
    without (``on_migration_error``). What requires such a branch, or has a pending revision that needs
    a pending one of it, goes with it; where that is the core, or ``only``, the branch that was asked for,
    it is not optional after all.
    """
    found: dict[str, str] = {}
    for name in sorted(wrong):
        if optional(name):
            gone = _with_dependents(graph, name, pending)
            if not gone & {CORE, LEDGER, only}:
                found.update({other: name for other in gone if other not in found})
                found[name] = name
    return found


def _with_dependents(graph: Graph, name: str, pending: Collection[Node]) -> set[str]:
    gone = {name}
    while True:
        more = {
            other
            for other, tree in graph.trees.items()
            if other not in gone and any(requirement.name in gone for requirement in tree.branch.requires)
        }
        more |= {
            node.branch
            for node in pending
            if node.branch not in gone
            and any(need.branch in gone and need in pending for need in graph.foreign_needs(node))
        }
        if not more:
            return gone
        gone |= more
