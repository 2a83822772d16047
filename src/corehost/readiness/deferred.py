"""Which of the pending steps are held back for older instances; lock-free."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from corehost.core.deferral import Held, judge_contract, with_dependents
from corehost.core.graph import Graph
from corehost.core.policy import Policy
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.postgres.connect import Connection
from corehost.postgres.presence import read_situation

NOTHING: Final[Mapping[Node, Held]] = MappingProxyType({})


def find_deferred(
    connection: Connection, graph: Graph, state: DatabaseState, pending: Collection[Node], policy: Policy
) -> Mapping[Node, Held]:
    """Pending step -> why it is held back: contract steps, and what needs one of them.

    No round trip where no contract step is pending in a branch that somebody has used.
    """
    contracts = contract_steps(graph, state, pending, policy)
    if not contracts:
        return NOTHING
    if state.knows_releases:
        found = read_situation(connection, graph, state, contracts)
        judged = {node: judge_contract(graph.trees[node.branch], node, found, policy) for node in contracts}
        held = {node: reason for node, reason in judged.items() if reason is not None}
    else:  # its own revisions come first, and then there is another look
        held = {node: Held(reason="waits for the ledger's own revisions") for node in contracts}
    return with_dependents(graph, pending, held)


def contract_steps(
    graph: Graph, state: DatabaseState, pending: Collection[Node], policy: Policy
) -> tuple[Node, ...]:
    """The contract steps among pending nodes, sorted; not of a branch that nobody has used yet."""
    return tuple(
        node
        for node in sorted(pending)
        if not graph.trees[node.branch].branch.is_ledger
        and (state.rows.get(node.branch) or state.ledger_heads(graph.trees[node.branch].branch.namespace))
        and policy.facts(node).phase == "contract"
    )
