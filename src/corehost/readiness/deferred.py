"""Which of the pending steps are held back for older instances; lock-free."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from corehost.core.deferral import Held, is_guarded, judge_contract, with_dependents
from corehost.core.graph import Graph
from corehost.core.policy import Policy
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.postgres.connect import Connection
from corehost.postgres.presence import read_situation

_IN_BACKGROUND: Final = Held(
    reason="runs in the background of an instance that serves", seconds=0.0, in_background=True
)
_REFUSED: Final = Held(
    reason="is left to 'corehost migrate --background --allow-destructive', as on_destructive says",
    by_hand=True,
)
NOTHING: Final[Mapping[Node, Held]] = MappingProxyType({})


def find_deferred(
    connection: Connection, graph: Graph, state: DatabaseState, pending: Collection[Node], policy: Policy
) -> Mapping[Node, Held]:
    """Pending step -> why it is held back: contract and background steps, and what needs one of them.

    No round trip where none of them is pending in a branch that somebody has used.
    """
    contracts = contract_steps(graph, state, pending, policy)
    held = dict(background_steps(connection, graph, state, pending, policy))
    if not contracts and not held:
        return NOTHING
    if not contracts:
        return with_dependents(graph, pending, held)
    if state.knows_releases:
        found = read_situation(connection, graph, state, contracts)
        judged = {node: judge_contract(graph.trees[node.branch], node, found, policy) for node in contracts}
        held |= {node: reason for node, reason in judged.items() if reason is not None}
    else:  # its own revisions come first, and then there is another look
        held |= {node: Held(reason="waits for the ledger's own revisions") for node in contracts}
    return with_dependents(graph, pending, held)


def background_steps(
    connection: Connection, graph: Graph, state: DatabaseState, pending: Collection[Node], policy: Policy
) -> Mapping[Node, Held]:
    """The pending steps with ``blocking = False``, where earlier code was here, and has left rows.

    On a database that nobody has used the step is run like any other: what comes behind it is needed. A
    contract step is none of them: it waits for older instances, under the locks that keep them away.
    """
    found = [
        node
        for node in _of_used(graph, state, pending)
        if policy.facts(node).background and policy.facts(node).phase != "contract"
    ]
    if found and state.knows_releases:
        situation = read_situation(connection, graph, state, found)
        found = [node for node in found if is_guarded(graph.trees[node.branch], node, situation)]
    return {
        node: _REFUSED if policy.refuse_destructive and policy.facts(node).destructive else _IN_BACKGROUND
        for node in found
    }


def contract_steps(
    graph: Graph, state: DatabaseState, pending: Collection[Node], policy: Policy
) -> tuple[Node, ...]:
    """The contract steps among pending nodes, sorted; not of a branch that nobody has used yet."""
    return tuple(node for node in _of_used(graph, state, pending) if policy.facts(node).phase == "contract")


def _of_used(graph: Graph, state: DatabaseState, pending: Collection[Node]) -> Iterator[Node]:
    """The pending nodes of branches that somebody has used, sorted."""
    for node in sorted(pending):
        branch = graph.trees[node.branch].branch
        if not branch.is_ledger and (state.rows.get(node.branch) or state.ledger_heads(branch.namespace)):
            yield node
