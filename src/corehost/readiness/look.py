"""One look at the database: read the state, judge it; no lock, no write."""

from __future__ import annotations

from collections.abc import Mapping

from corehost.core.graph import Graph
from corehost.core.standing import Standing, needing_lineage, standings
from corehost.core.state import DatabaseState
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import read_lineage
from corehost.postgres.state import read_state


def look(
    connection: Connection, graph: Graph, names: frozenset[str] | None = None
) -> tuple[DatabaseState, Mapping[str, Standing]]:
    """Read the state of all branches (or of some) and judge it; no lock, no write."""
    trees = [tree for name, tree in graph.trees.items() if names is None or name in names]
    state = read_state(connection, [tree.branch for tree in trees])
    lineages = {
        name: read_lineage(connection, graph.trees[name].branch)
        for name in (needing_lineage(graph, state) if state.has_ledger else ())
    }
    return state, standings(graph, state, lineages)
