"""The graph as SVG: the branches at the left, their revisions beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from corehost.console.layout import Layout, Metrics, Point, arrange, rails
from corehost.console.markup import Markup, join, tag
from corehost.console.resources import resource
from corehost.console.scene import Mark, Scene, make_scene
from corehost.core.graph import Graph
from corehost.core.results import BranchStatus

_COMPACT: Final = Metrics(narrowest=84.0, widest=112.0, row=42.0, gap=12.0, mark=14.0)
_MANY_LANES: Final = 10
_LABELS: Final = 150.0
_RADIUS: Final = 7.0
_PILL: Final = 21.0
_CORNER: Final = 6.0
_WORDS: Final = {"doubt": "in doubt", "beyond": "not asked for", "unknown": "unknown to this code"}
_GROUND: Final = "svg { background: var(--sheet); font-family: system-ui, sans-serif; }\n"
SHAPES: Final = {
    "current": "applied",
    "migrating": "running",
    "in_doubt": "doubt",
    "ahead": "unknown",
    "orphaned": "beyond",
}
"""State of a branch -> shape in ``symbols.svg``, where the two are not called the same."""


def icon(state: str, *, x: float = 0, y: float = 0, size: float = 16) -> Markup:
    """A state's shape."""
    name = SHAPES.get(state, state)
    use = tag("use", href=f"#s-{name}", x=_n(x), y=_n(y), width=_n(size), height=_n(size))
    return tag("g", use, class_=f"is-{name}")


def draw(graph: Graph, statuses: Sequence[BranchStatus]) -> tuple[Markup, Markup, float | None]:
    """The branches' labels, their revisions, and where the first that is not applied stands.

    Two pictures of the same height, so that the labels stay while the rest is scrolled.
    """
    scene = make_scene(graph, statuses)
    metrics = _COMPACT if len(scene.lanes) > _MANY_LANES else Metrics()
    layout = arrange(scene, metrics)
    ahead = [place.x for place, mark in zip(layout.places, scene.marks, strict=True) if _is_open(mark)]
    labels = _labels(scene, layout, {s.branch: (s.state, _told(s)) for s in statuses}, metrics)
    return labels, _revisions(scene, layout, compact=metrics is _COMPACT), min(ahead, default=None)


def alone(graph: Graph) -> str:
    """The picture of what is installed, whatever is applied, as a document of its own."""
    scene = make_scene(graph, ())
    layout = arrange(scene, Metrics())
    slots = rails(scene.rails, scene.lanes)
    versions = {name: (None, tree.branch.origin.version or "") for name, tree in graph.trees.items()}
    labels = _labels(scene, layout, versions, Metrics())
    left = _indent(slots) + _LABELS
    parts = [
        tag("style", Markup(resource("picture.css").decode() + _GROUND)),
        Markup(resource("symbols.svg").decode()),
        labels,
        tag("g", _revisions(scene, layout, compact=False), transform=f"translate({_n(left)} 0)"),
    ]
    whole = _svg(left + layout.width, layout.height, "The graph of the installed revisions", parts)
    size = f"{_n(left + layout.width)} {_n(layout.height)}"
    own = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
    return whole.replace("<svg ", own, 1) + "\n"


def _is_open(mark: Mark) -> bool:
    return mark.state not in ("applied", "beyond")


def _labels(
    scene: Scene, layout: Layout, told: Mapping[str, tuple[str | None, str]], metrics: Metrics
) -> Markup:
    """The branches' names, each with its state's shape and a text below it."""
    slots = rails(scene.rails, scene.lanes)
    indent = _indent(slots)
    middles = [top + metrics.gap + metrics.mark for top in layout.tops]
    middle = dict(zip(scene.lanes, middles, strict=False))
    parts = [_stripes(layout)]
    for first, later in scene.rails:
        x = indent - 8 - 7 * slots[first]
        one, other = middle[first], middle[later]
        corners = (Point(indent, one), Point(x, one), Point(x, other), Point(indent, other))
        parts.append(tag("path", d=_path(corners), class_="rail"))
    for name in scene.lanes:
        (state, text), y = told.get(name, (None, "")), middle[name]
        left = indent + 2
        if state is None:
            left += 6
        else:
            parts.append(icon(state, x=left, y=y - 8))
            left += 23
        parts.append(
            tag("text", _cut(name, 15), tag("title", name), x=_n(left), y=_n(y + 4.5), class_="branch")
        )
        if metrics is not _COMPACT:
            parts.append(tag("text", text, x=_n(left), y=_n(y + 21), class_="quiet"))
    return _svg(indent + _LABELS, layout.height, f"The {len(scene.lanes)} branches", parts, class_="labels")


def _told(status: BranchStatus) -> str:
    pending = f"{len(status.pending)} pending" if status.pending else ""
    state = "" if pending and status.state == "pending" else status.state.replace("_", " ")
    return ", ".join(part for part in (state, pending) if part)


def _revisions(scene: Scene, layout: Layout, *, compact: bool) -> Markup:
    parts = [_stripes(layout)]
    for link, route in zip(scene.links, layout.routes, strict=True):
        state = scene.marks[link.by].state
        kind = "down" if link.inside else "across"
        parts.append(
            tag("path", d=_path(route), class_=f"link {kind} {'done' if state == 'applied' else 'open'}")
        )
    for mark, place in zip(scene.marks, layout.places, strict=True):
        parts.append(_mark(mark, place, layout.pitch, compact=compact))
    return _svg(layout.width, layout.height, "Their revisions, each right of what it needs", parts)


def _mark(mark: Mark, place: Point, pitch: float, *, compact: bool) -> Markup:
    first, last = mark.revisions[0], mark.revisions[-1]
    many = len(mark.revisions) > 1
    told = (
        f"{len(mark.revisions)} revisions, {first} to {last}" if many else f"{first} {mark.message}".strip()
    )
    parts = [tag("title", f"{mark.branch}: {told} ({_WORDS.get(mark.state, mark.state)})")]
    if many:
        parts += [
            tag(
                "rect",
                x=_n(place.x - _PILL),
                y=_n(place.y - 10),
                width=_n(_PILL * 2),
                height=20,
                rx=10,
                class_="pill",
            ),
            tag("text", f"{len(mark.revisions)}", x=_n(place.x), y=_n(place.y + 4), class_="count"),
        ]
        below = (_cut(f"… {last}", 15), _WORDS.get(mark.state, mark.state))
    else:
        size = _RADIUS * 2 + 2
        parts += [
            tag("circle", cx=_n(place.x), cy=_n(place.y), r=_n(_RADIUS + 3), class_="halo"),
            icon(mark.state, x=place.x - size / 2, y=place.y - size / 2, size=size),
        ]
        below = (_cut(first, int(pitch / 7)), _cut(mark.message, int(pitch / 6.2)))
    parts.append(tag("text", below[0], x=_n(place.x), y=_n(place.y + 22), class_="revision"))
    if not compact:
        parts.append(tag("text", below[1], x=_n(place.x), y=_n(place.y + 34), class_="message"))
    return tag("g", *parts, class_=f"mark is-{mark.state}")


def _indent(slots: Mapping[str, int]) -> float:
    """The width that the lines between branches need."""
    return 16.0 + 7 * len(set(slots.values()))


def _stripes(layout: Layout) -> Markup:
    """Every other lane's ground, as wide as there is room."""
    pairs = list(zip(layout.tops, layout.tops[1:], strict=False))
    return join(
        tag("rect", x=0, y=_n(top), width="100%", height=_n(bottom - top), class_="stripe")
        for top, bottom in pairs[::2]
    )


def _svg(
    width: float, height: float, title: str, parts: Sequence[Markup], class_: str | None = None
) -> Markup:
    return tag(
        "svg",
        *parts,
        class_=class_,
        width=_n(width),
        height=_n(height),
        role="img",
        aria_label=title,
    )


def _path(corners: Sequence[Point]) -> str:
    """A line with rounded corners."""
    parts = [f"M{_n(corners[0].x)} {_n(corners[0].y)}"]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        entry, leaving = _towards(corner, before), _towards(corner, after)
        parts.append(
            f"L{_n(entry.x)} {_n(entry.y)}Q{_n(corner.x)} {_n(corner.y)} {_n(leaving.x)} {_n(leaving.y)}"
        )
    return "".join([*parts, f"L{_n(corners[-1].x)} {_n(corners[-1].y)}"])


def _towards(corner: Point, other: Point) -> Point:
    """A place a little away from a corner, at most half of the way."""
    far = abs(other.x - corner.x) + abs(other.y - corner.y)
    share = min(_CORNER, far / 2) / far if far else 0.0
    return Point(corner.x + (other.x - corner.x) * share, corner.y + (other.y - corner.y) * share)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _n(number: float) -> str:
    """A number as short as it may be."""
    return f"{number:.1f}".removesuffix(".0")
