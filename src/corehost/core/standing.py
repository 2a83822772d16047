"""How the installed code and the database stand to each other: pure, from a look and the lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from corehost.core.graph import Graph
from corehost.core.results import BranchState, BranchStatus, LockHolder
from corehost.core.revision import Node
from corehost.core.state import DatabaseState, LedgerBranch
from corehost.core.tree import BranchTree

Lineage = Mapping[str, tuple[str, ...]]
"""Revision -> its parents, as the ledger recorded them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One branch: what of the installed code is applied, and whether the two fit."""

    rows: tuple[str, ...]
    """The known revisions that the database has; what a pass goes on from."""
    state: BranchState | None = None
    """``ahead`` or ``diverged``, or None where the code knows every row."""
    reason: str | None = None
    """Why."""

    @property
    def blocked(self) -> bool:
        """Whether nothing of the branch may be run."""
        return self.state == "diverged"


def standing(tree: BranchTree, state: DatabaseState, lineage: Lineage) -> Standing:
    """Judge one branch; ``lineage`` matters only where the database has rows that the code does not."""
    name, namespace = tree.branch.name, tree.branch.namespace
    rows = state.rows.get(name, ())
    left = state.ledger_heads(namespace)
    if left and not rows:
        what = "is missing" if name in state.without_table else "is empty"
        return Standing(
            rows=(),
            state="diverged",
            reason=f"version table {namespace.schema}.{namespace.version_table} {what}, "
            f"but the ledger has {', '.join(left)} applied",
        )
    unknown = tree.unknown(rows)
    if not unknown:
        return Standing(rows=rows)
    ancestors = _ancestors(unknown, lineage)
    known = tuple(sorted({*rows, *ancestors} & tree.revisions.keys()))
    applied = tree.closure(known)
    listed = ", ".join(unknown)
    if applied >= set(tree.target_heads) and all(row in lineage for row in unknown):
        return Standing(rows=known, state="ahead", reason=f"the database has {listed}, newer than this code")
    return Standing(
        rows=known, state="diverged", reason=f"the database has {listed}, which this code does not know"
    )


def _ancestors(revisions: tuple[str, ...], lineage: Lineage) -> set[str]:
    seen: set[str] = set()
    stack = list(revisions)
    while stack:
        revision = stack.pop()
        if revision not in seen:
            seen.add(revision)
            stack.extend(lineage.get(revision, ()))
    return seen


def standings(graph: Graph, state: DatabaseState, lineages: Mapping[str, Lineage]) -> Mapping[str, Standing]:
    """The standing of every branch that was read; ``lineages`` has one for each that needs it."""
    return {name: standing(graph.trees[name], state, lineages.get(name, {})) for name in state.rows}


def needing_lineage(graph: Graph, state: DatabaseState) -> tuple[str, ...]:
    """The branches whose version table has rows that this code does not know."""
    return tuple(name for name, rows in state.rows.items() if graph.trees[name].unknown(rows))


def orphans(graph: Graph, state: DatabaseState) -> tuple[LedgerBranch, ...]:
    """What the ledger has applied and nobody here has installed, sorted."""
    installed = {tree.branch.namespace for tree in graph.trees.values()}
    return tuple(
        known
        for namespace, known in sorted(state.ledger.items())
        if namespace not in installed and known.heads
    )


def branch_status(
    tree: BranchTree,
    standing: Standing,
    state: DatabaseState,
    *,
    pending: tuple[Node, ...],
    holder: LockHolder | None,
) -> BranchStatus:
    """One branch as ``status`` shows it."""
    judged, reason = _judge(tree, standing, state, pending=bool(pending), holder=holder)
    return BranchStatus(
        branch=tree.branch.name,
        schema=tree.branch.namespace.schema,
        origin=tree.branch.origin,
        state=judged,
        applied=state.rows.get(tree.branch.name, ()),
        heads=tree.target_heads,
        pending=tuple(node.revision for node in pending),
        lock=holder,
        reason=reason,
    )


def _judge(
    tree: BranchTree,
    standing: Standing,
    state: DatabaseState,
    *,
    pending: bool,
    holder: LockHolder | None,
) -> tuple[BranchState, str | None]:
    if standing.state is not None:
        return standing.state, standing.reason
    attempt = state.open_steps.get(tree.branch.namespace)
    if attempt is not None and attempt.partial and (holder is None or holder.pid != attempt.backend_pid):
        return "in_doubt", f"revision {attempt.revision} was begun and a part of it may be committed"
    if pending and holder is not None:
        return "migrating", None
    if pending and attempt is not None and attempt.failed:
        return "failed", f"revision {attempt.revision} failed: {attempt.error}"
    return ("pending" if pending else "current"), None
