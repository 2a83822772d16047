"""The graph as a document, as text, and in two languages for graphs: the same input, the same text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from corehost.core.graph import Graph
from corehost.core.revision import Node


class Edge(NamedTuple):
    """One revision that needs another."""

    node: Node
    needs: Node
    kind: str
    """``down_revision``, or ``depends_on``, which the host's extra edges count as."""


def edges(graph: Graph) -> Iterator[Edge]:
    """Every edge between revisions, in the order of the graph."""
    for node in sorted(graph.rank, key=graph.rank.__getitem__):
        down = graph.revision(node).down_revision
        for need in dict.fromkeys(graph.needs(node)):
            inside = need.branch == node.branch and need.revision in down
            yield Edge(node, need, "down_revision" if inside else "depends_on")


def branch_names(graph: Graph) -> list[str]:
    """The branches, each behind those that it comes after."""
    return sorted(graph.trees, key=graph.branch_rank.__getitem__)


def as_document(graph: Graph) -> dict[str, Any]:
    """``branches``, ``revisions`` and ``edges`` of the JSON document."""
    return {
        "branches": [
            {
                "branch": name,
                "schema": graph.trees[name].branch.namespace.schema,
                "distribution": graph.trees[name].branch.origin.distribution,
                "version": graph.trees[name].branch.origin.version,
                "after": list(graph.first[name]),
                "heads": list(graph.trees[name].heads),
            }
            for name in branch_names(graph)
        ],
        "revisions": [
            {
                "branch": name,
                "revision": revision,
                "message": graph.trees[name].revisions[revision].message,
                "file": graph.trees[name].revisions[revision].path,
            }
            for name in branch_names(graph)
            for revision in graph.trees[name].order
        ],
        "edges": [
            {"revision": str(edge.node), "needs": str(edge.needs), "kind": edge.kind} for edge in edges(graph)
        ],
    }


def as_text(graph: Graph) -> str:
    """One line per branch and revision; of a revision's needs those that the line above does not say."""
    needs: dict[Node, list[Node]] = {}
    for edge in edges(graph):
        needs.setdefault(edge.node, []).append(edge.needs)
    lines = []
    for name in branch_names(graph):
        first = [other for other in graph.first[name] if other != "corehost"]
        lines.append(name + (f"  (after {', '.join(first)})" if first else ""))
        above: Node | None = None
        for revision in graph.trees[name].order:
            node = Node(name, revision)
            wanted = needs.get(node, [])
            message = graph.revision(node).message
            parts = [f"  {revision}", message]
            if wanted != ([above] if above else []):
                told = (need.revision if need.branch == name else str(need) for need in wanted)
                parts.append(f"<- {', '.join(told) or 'base'}")
            lines.append("  ".join(part for part in parts if part))
            above = node
    return "".join(f"{line}\n" for line in lines)


def as_mermaid(graph: Graph) -> str:
    """A Mermaid flow chart, a sub-graph per branch; arrows lead from what is needed to what needs it."""
    lines = ["flowchart TD"]
    for place, name in enumerate(branch_names(graph)):
        # Ids of our own: a branch may be called "end", which ends a sub-graph.
        lines.append(f'  subgraph b{place}["{name}"]')
        for node in _nodes(graph, name):
            message = _mermaid(graph.revision(node).message)
            label = _mermaid(node.revision) + (f"<br>{message}" if message else "")
            lines.append(f'    r{graph.rank[node]}["{label}"]')
        lines.append("  end")
    for edge in edges(graph):
        arrow = "-->" if edge.kind == "down_revision" else "-.->"
        lines.append(f"  r{graph.rank[edge.needs]} {arrow} r{graph.rank[edge.node]}")
    return "".join(f"{line}\n" for line in lines)


def as_dot(graph: Graph) -> str:
    """A Graphviz digraph, a cluster per branch; arrows lead from what is needed to what needs it."""
    lines = ["digraph corehost {", "  node [shape=box];"]
    for place, name in enumerate(branch_names(graph)):
        lines.append(f"  subgraph cluster_{place} {{")
        lines.append(f"    label={_dot(name)};")
        for node in _nodes(graph, name):
            message = graph.revision(node).message
            label = _dot(node.revision + (f"\n{message}" if message else ""))
            lines.append(f"    {_dot(str(node))} [label={label}];")
        lines.append("  }")
    for edge in edges(graph):
        style = "" if edge.kind == "down_revision" else " [style=dashed]"
        lines.append(f"  {_dot(str(edge.needs))} -> {_dot(str(edge.node))}{style};")
    return "".join(f"{line}\n" for line in [*lines, "}"])


def _nodes(graph: Graph, name: str) -> Iterator[Node]:
    return (Node(name, revision) for revision in graph.trees[name].order)


_UNSAFE: Final = str.maketrans({character: f"#{ord(character)};" for character in '#&"<>`'})


def _mermaid(text: str) -> str:
    return text.translate(_UNSAFE)


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
