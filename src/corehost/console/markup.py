"""HTML and SVG as text that is safe by construction: whatever is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"br", "input", "link", "meta", "use"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element.

    Children that are no markup are escaped; None and False are left out, of attributes too; True gives an
    attribute without a value. An attribute's ``_`` stands for ``-``, but for one at its end (``class_``).
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        parts.append(f" {key.rstrip('_').replace('_', '-')}")
        if value is not True:
            parts.append(f'="{escape(str(value))}"')
    if name in _VOID:
        return Markup("".join([*parts, ">" if name != "use" else "/>"]))
    return Markup("".join([*parts, ">", join(children), f"</{name}>"]))


def join(children: Iterable[object]) -> Markup:
    """Several pieces behind each other."""
    return Markup("".join(_text(child) for child in children))


def _text(child: object) -> str:
    if child is None or child is False:
        return ""
    return child if isinstance(child, Markup) else escape(str(child), quote=False)
