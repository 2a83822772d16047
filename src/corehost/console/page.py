"""The page as a whole, and what of it has changed since it was sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from string import Template
from typing import Any

from corehost.console import parts
from corehost.console.markup import Markup, tag
from corehost.console.picture import draw
from corehost.console.resources import resource
from corehost.console.sight import Sight, View
from corehost.console.verdict import states, verdict
from corehost.console.words import stamp
from corehost.core.graph import Graph
from corehost.core.version import VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One view, drawn."""

    parts: Mapping[str, Markup]
    """Id of a place in the page -> what stands there."""
    title: str
    """The document's title."""
    states: Mapping[str, str]
    """Branch -> state, for those who hear the page."""
    digest: str
    """The same for the same content, in whichever process it was drawn."""
    at: str | None
    """When the database was read, RFC 3339."""

    def change_since(self, earlier: Page | None) -> str:
        """The JSON of one event: the parts that differ."""
        known = earlier.parts if earlier else {}
        changed = {name: part for name, part in self.parts.items() if known.get(name) != part}
        return json.dumps({"parts": changed, "title": self.title, "states": self.states, "at": self.at})


class Draughtsman:
    """Draws pages; keeps the picture as long as it would be the same."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._key: Any = None
        self._picture = Markup()

    def page(self, sight: Sight, view: View) -> Page:
        """One view of what was seen."""
        found = {
            "banner": parts.banner(sight),
            "figures": parts.figures(sight),
            "trouble": parts.trouble(sight),
            "picture": self._drawn(sight),
            "branches": parts.branches(sight),
            "instances": parts.instances(sight),
            "revisions": parts.revisions(sight, view),
            "history": parts.history(sight, view),
        }
        told = verdict(sight)
        text = "\0".join(found.values())
        return Page(
            parts=found,
            title=f"{told.word} · {sight.database or 'corehost'}",
            states={"": told.word, **states(sight.look)},
            digest=hashlib.sha256(text.encode()).hexdigest()[:16],
            at=stamp(sight.at) if sight.at else None,
        )

    def _drawn(self, sight: Sight) -> Markup:
        graph, look = sight.graph, sight.look
        if graph is None or look is None:
            return Markup()
        key = tuple((s.branch, s.state, s.applied, s.pending, s.deferred) for s in look.branches)
        if graph is not self._graph or key != self._key:  # a host may get plugins while it serves
            labels, revisions, ahead = draw(graph, look.branches)
            self._graph, self._key, self._picture = (
                graph,
                key,
                Markup(
                    labels
                    + tag(
                        "div",
                        revisions,
                        class_="wide",
                        tabindex=0,
                        role="region",
                        aria_label="The picture of the revisions; all of it is in the tables too",
                        data_ahead=None if ahead is None else f"{ahead:.0f}",
                    )
                ),
            )
        return self._picture


def document(page: Page, view: View, *, database: str | None, now: str, refresh: int | None) -> str:
    """The HTML document of a page, complete without any script."""
    again = parts.link(view, refresh=5)
    once = parts.link(view)
    return _shell().substitute(
        page.parts,
        title=tag("title", page.title),
        digest=page.digest,
        states=escape(json.dumps(page.states)),
        now=now,
        read=page.at or "",
        symbols=resource("symbols.svg").decode(),
        database=tag("span", database, class_="database") if database else "",
        refresh=tag("meta", http_equiv="refresh", content=str(refresh)) if refresh else "",
        reload=tag("a", "Reload", href=once) if refresh is None else tag("a", "Stop reloading", href=once),
        every=tag("a", "Reload every 5 s", href=again) if refresh is None else "",
        version=tag("span", f"corehost {VERSION}"),
        branch=tag("a", f"All branches, not only {view.branch}", href="./", class_="back")
        if view.branch
        else "",
    )


@cache
def _shell() -> Template:
    return Template(resource("page.html").decode())
