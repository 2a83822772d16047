"""Stable topological order and cycles, over anything hashable."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def topological_order(
    nodes: Iterable[T], needs: Callable[[T], Iterable[T]], *, key: Callable[[T], Any]
) -> Iterator[T]:
    """Yield every node after what it needs; among those that could come next, the least by key.

    Nodes on a cycle, and those behind one, are left out: ask :func:`find_cycle` first.
    """
    missing: dict[T, int] = {}
    dependents: dict[T, list[T]] = {}
    for node in nodes:
        wanted = set(needs(node))
        missing[node] = len(wanted)
        for other in wanted:
            dependents.setdefault(other, []).append(node)
    ready = [(key(node), node) for node, count in missing.items() if not count]
    heapq.heapify(ready)
    while ready:
        _, node = heapq.heappop(ready)
        yield node
        for dependent in dependents.get(node, ()):
            missing[dependent] -= 1
            if not missing[dependent]:
                heapq.heappush(ready, (key(dependent), dependent))


def find_cycle(nodes: Iterable[T], needs: Callable[[T], Iterable[T]]) -> tuple[T, ...]:
    """One cycle, each member needing the next and the last the first; empty where there is none."""
    done: set[T] = set()
    for root in nodes:
        if root in done:
            continue
        path: list[T] = [root]
        on_path = {root}
        stack = [iter(tuple(needs(root)))]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                node = path.pop()
                on_path.discard(node)
                done.add(node)
            elif following in on_path:
                return tuple(path[path.index(following) :])
            elif following not in done:
                path.append(following)
                on_path.add(following)
                stack.append(iter(tuple(needs(following))))
    return ()
