"""One look at the database: read the state, judge it; no lock, no write."""

from __future__ import annotations

from collections.abc import Mapping

from corehost.core.graph import Graph
from corehost.core.policy import DEFAULT, Policy
from corehost.core.standing import Standing, needing_lineage, standings
from corehost.core.state import DatabaseState
from corehost.core.tree import BranchTree
from corehost.postgres.connect import Connection
from corehost.postgres.releases import read_lineage
from corehost.postgres.state import read_state


def look(
    connection: Connection, graph: Graph, names: frozenset[str] | None = None, *, policy: Policy = DEFAULT
) -> tuple[DatabaseState, Mapping[str, Standing]]:
    """Read the state of all branches (or of some) and judge it; no lock, no write."""
    trees = [tree for name, tree in graph.trees.items() if names is None or name in names]
    state, judged = _once(connection, graph, trees, policy)
    if any(standing.blocked for standing in judged.values()):
        # A version table made between the two round trips of one look seems to be missing while the
        # ledger has it already: what is gravest is said only when it is seen twice.
        state, judged = _once(connection, graph, trees, policy)
    return state, judged


def _once(
    connection: Connection, graph: Graph, trees: list[BranchTree], policy: Policy
) -> tuple[DatabaseState, Mapping[str, Standing]]:
    state = read_state(connection, [tree.branch for tree in trees])
    lineages = {
        name: read_lineage(connection, graph.trees[name].branch, state)
        for name in (needing_lineage(graph, state) if state.has_ledger else ())
    }
    return state, standings(graph, state, lineages, refuse_ahead=policy.refuse_ahead)
