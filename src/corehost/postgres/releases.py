"""Writes and reads what the ledger has of releases: which code knew which revisions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from corehost.core.branch import Branch
from corehost.core.graph import Graph
from corehost.core.lineage import Lineage, Recorded
from corehost.core.namespace import LEDGER, Namespace
from corehost.core.release import Release
from corehost.core.revision import Node, SourceFacts
from corehost.core.state import DatabaseState
from corehost.postgres import release_sql as sql
from corehost.postgres.connect import Connection, execute


def is_recorded(connection: Connection, release: Release) -> bool:
    """Whether the ledger has this code already."""
    return execute(connection, sql.IS_RECORDED, (release.digest,)).fetchone() is not None


def record_release(
    connection: Connection, graph: Graph, release: Release, facts_of: Callable[[Node], SourceFacts | None]
) -> None:
    """Write every revision that this code knows, and its heads; one round trip, whatever is there stays.

    ``facts_of`` gives what was read of a revision's source, or None where nobody had to.
    """
    execute(connection, sql.RECORD_RELEASE, release_values(graph, release, facts_of))


def release_values(
    graph: Graph, release: Release, facts_of: Callable[[Node], SourceFacts | None]
) -> dict[str, Any]:
    """What ``RECORD_RELEASE`` is given."""
    revisions = []
    for name, tree in graph.trees.items():
        if name == LEDGER:
            continue
        for revision in tree.order:
            node = Node(name, revision)
            facts = facts_of(node)
            revisions.append(
                {
                    **place_of(tree.branch.namespace),
                    "revision": revision,
                    "parents": list(tree.parents[revision]),
                    "depends_on": [str(need) for need in graph.foreign_needs(node)],
                    "phase": facts.phase if facts is not None else None,
                    "destructive": facts.destructive if facts is not None else None,
                    "distribution": tree.branch.origin.distribution,
                    "version": tree.branch.origin.version,
                }
            )
    branches = [
        {
            **place_of(branch.namespace),
            "branch": branch.branch,
            "heads": list(branch.heads),
            "distribution": branch.origin.distribution,
            "version": branch.origin.version,
        }
        for branch in release.branches
    ]
    return {
        "digest": release.digest,
        "revisions": json.dumps(revisions),
        "branches": json.dumps(branches),
    }


def read_lineage(connection: Connection, branch: Branch, state: DatabaseState) -> Lineage:
    """What is recorded of a branch; two round trips, for a branch that has rows which nobody here knows."""
    place = place_of(branch.namespace)
    statement = sql.LINEAGE if state.knows_releases else sql.OLD_LINEAGE
    revisions = {
        row[0]: Recorded(
            parents=tuple(row[1]),
            phase=row[2],
            destructive=row[3],
            distribution=row[4],
            version=row[5],
            release=row[6],
        )
        for row in execute(connection, statement, place)
    }
    heads: dict[str, tuple[str, ...]] = {}
    if state.knows_releases:
        heads = {row[0]: tuple(row[1]) for row in execute(connection, sql.RELEASED_HEADS, place)}
    return Lineage(revisions=revisions, heads=heads)


def place_of(namespace: Namespace) -> dict[str, Any]:
    """A branch's place as the ledger's columns have it."""
    return {"schema_name": namespace.schema, "version_table": namespace.version_table}
