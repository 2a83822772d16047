"""Where everything of a scene goes: layers from left to right, lanes below each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corehost.console.scene import Link, Scene
from corehost.core.toposort import topological_order

_SLOT: Final = 5.0
"""Between two lines that run beside each other, in pixels."""
_MOST_SLOTS: Final = 5
_INDENT: Final = 60.0
"""From the left edge to the first layer's middle."""


class Point(NamedTuple):
    """A place, in pixels from the top left."""

    x: float
    y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """How large things are, in pixels."""

    narrowest: float = 94.0
    widest: float = 128.0
    """From one layer to the next, at least and at most."""
    room: float = 980.0
    """The width that is filled where the layers allow it."""
    row: float = 58.0
    """The height of a row of marks with their texts."""
    gap: float = 14.0
    """Above the first row of a lane, where links pass."""
    mark: float = 17.0
    """From the top of a row to the middle of its marks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A scene with its places."""

    width: float
    height: float
    pitch: float
    """From one layer to the next."""
    tops: tuple[float, ...]
    """Of each lane its upper edge, and at last the lower edge of them all."""
    places: tuple[Point, ...]
    """Of each mark its middle."""
    routes: tuple[tuple[Point, ...], ...]
    """Of each link the corners of its line, both ends included."""


def arrange(scene: Scene, metrics: Metrics) -> Layout:
    """Find a place for everything in a scene; the same scene always gets the same places."""
    layers = _layers(scene)
    last = max(layers, default=0)
    pitch = min(max((metrics.room - 2 * _INDENT) / max(last, 1), metrics.narrowest), metrics.widest)
    rows = _rows(scene, layers)
    heights = [metrics.gap + metrics.row * (1 + max(rows[name].values(), default=0)) for name in scene.lanes]
    tops = [0.0]
    for height in heights:
        tops.append(tops[-1] + height)
    top_of = dict(zip(scene.lanes, tops, strict=False))
    places = tuple(
        Point(
            _INDENT + layers[index] * pitch,
            top_of[mark.branch] + metrics.gap + rows[mark.branch][index] * metrics.row + metrics.mark,
        )
        for index, mark in enumerate(scene.marks)
    )
    grid = _Grid(scene=scene, layers=layers, places=places, tops=top_of, pitch=pitch)
    routes = tuple(grid.route(link) for link in scene.links)
    width = _INDENT * 2 + last * pitch
    return Layout(width=width, height=tops[-1], pitch=pitch, tops=tuple(tops), places=places, routes=routes)


def _layers(scene: Scene) -> list[int]:
    """One more than the furthest of what each mark needs."""
    needs: dict[int, list[int]] = {}
    for link in scene.links:
        needs.setdefault(link.by, []).append(link.needed)
    layers = [0] * len(scene.marks)
    for index in topological_order(range(len(layers)), lambda i: needs.get(i, ()), key=lambda i: i):
        layers[index] = 1 + max((layers[need] for need in needs.get(index, ())), default=-1)
    return layers


def _rows(scene: Scene, layers: Sequence[int]) -> Mapping[str, dict[int, int]]:
    """Inside its lane each mark goes on in a parent's row, or takes the first that is free in its layer."""
    parents: dict[int, list[int]] = {}
    for link in scene.links:
        if link.inside:
            parents.setdefault(link.by, []).append(link.needed)
    rows: dict[str, dict[int, int]] = {name: {} for name in scene.lanes}
    taken: set[tuple[str, int, int]] = set()
    continued: set[int] = set()
    for index in sorted(range(len(layers)), key=lambda i: (layers[i], i)):
        name = scene.marks[index].branch
        wishes = [p for p in sorted(parents.get(index, ())) if p not in continued]
        row = next((rows[name][p] for p in wishes if (name, layers[index], rows[name][p]) not in taken), None)
        if row is None:
            row = next(r for r in range(len(layers)) if (name, layers[index], r) not in taken)
        continued.update(p for p in wishes if rows[name][p] == row)
        taken.add((name, layers[index], row))
        rows[name][index] = row
    return rows


@dataclass(kw_only=True)
class _Grid:
    """The gutters between layers and the gaps between lanes, and what runs in them already."""

    scene: Scene
    layers: Sequence[int]
    places: Sequence[Point]
    tops: Mapping[str, float]
    pitch: float
    used: dict[tuple[str, float], list[tuple[int, float, float, int]]] = field(default_factory=dict)

    def route(self, link: Link) -> tuple[Point, ...]:
        """The corners of a link's line."""
        start, end = self.places[link.needed], self.places[link.by]
        before, after = self.layers[link.needed], self.layers[link.by]
        if start.y == end.y and self._is_free(start.y, before, after):
            return (start, end)
        out = self._gutter(before, start.y, end.y, link.needed)
        if self._is_free(end.y, before, after) and start.y != end.y:
            return (start, Point(out, start.y), Point(out, end.y), end)
        lane = self.tops[self.scene.marks[link.by].branch]
        y = lane + 4 + self._slot(("gap", lane), start.x, end.x, link.needed) * (_SLOT - 2)
        into = self._gutter(after - 1, y, end.y, link.needed)
        return (start, Point(out, start.y), Point(out, y), Point(into, y), Point(into, end.y), end)

    def _is_free(self, y: float, before: int, after: int) -> bool:
        """Whether no mark lies in that row, between two layers."""
        places = zip(self.layers, self.places, strict=True)
        return not any(before < layer < after and place.y == y for layer, place in places)

    def _gutter(self, layer: int, one: float, other: float, source: int) -> float:
        """The x of a line from one height to another, right of a layer."""
        slot = self._slot(("gutter", layer), one, other, source)
        away = (slot + 1) // 2 * (1 if slot % 2 else -1)  # around the middle: 0, 1, -1, 2, -2
        return _INDENT + (layer + 0.5) * self.pitch + away * _SLOT

    def _slot(self, where: tuple[str, float], one: float, other: float, source: int) -> int:
        """The first slot where nothing else runs; lines from the same mark share one."""
        low, high = min(one, other), max(one, other)
        used = self.used.setdefault(where, [])
        for slot in range(_MOST_SLOTS):
            if not any(_meet(entry, slot, low, high, source) for entry in used):
                break
        used.append((slot, low, high, source))
        return slot


def _meet(entry: tuple[int, float, float, int], slot: int, low: float, high: float, source: int) -> bool:
    other, begin, end, of = entry
    return other == slot and of != source and begin < high and low < end


def rails(pairs: Iterable[tuple[str, str]], lanes: Sequence[str]) -> Mapping[str, int]:
    """Of each branch that others come after, the slot in which its line runs down to them."""
    last: dict[str, int] = {}
    for first, later in pairs:
        last[first] = max(last.get(first, 0), lanes.index(later))
    slots: dict[str, int] = {}
    for name in sorted(last, key=lambda name: (last[name] - lanes.index(name), name)):
        taken = {
            slots[other]
            for other in slots
            if lanes.index(other) <= last[name] and lanes.index(name) <= last[other]
        }
        slots[name] = next(slot for slot in range(len(last)) if slot not in taken)
    return slots
