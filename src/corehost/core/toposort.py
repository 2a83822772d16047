"""Stable topological order, cycles, knots and reach, over anything hashable."""

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


def find_knot(start: T, needs: Callable[[T], Iterable[T]]) -> tuple[T, ...]:
    """Nodes that all need each other and nothing else, reached from ``start`` along what it needs.

    A single node where that needs nothing. Which one is found depends on the order of ``needs``.
    """
    found: dict[T, int] = {start: 0}
    low: dict[T, int] = {start: 0}
    path: list[T] = [start]  # in the order they were found
    stack: list[tuple[T, Iterator[T]]] = [(start, iter(tuple(needs(start))))]
    while True:
        node, following = stack[-1]
        if (other := next(following, None)) is None:
            if low[node] == found[node]:
                return tuple(path[found[node] :])  # the first to be closed leads nowhere else
            stack.pop()
            above = stack[-1][0]
            low[above] = min(low[above], low[node])
        elif other in found:
            low[node] = min(low[node], found[other])
        else:
            found[other] = low[other] = len(path)
            path.append(other)
            stack.append((other, iter(tuple(needs(other)))))


def reached(start: Iterable[T], following: Callable[[T], Iterable[T]]) -> set[T]:
    """The nodes of ``start``, and all that they lead to."""
    seen = set(start)
    stack = list(seen)
    while stack:
        for item in following(stack.pop()):
            if item not in seen:
                seen.add(item)
                stack.append(item)
    return seen
