"""How the installed code and the database stand to each other: pure, from a look and the lineage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from corehost.core.errors import IncompatibleDatabase
from corehost.core.graph import Graph
from corehost.core.lineage import UNRECORDED, Lineage
from corehost.core.results import BranchCount, BranchState, BranchStatus, LockHolder
from corehost.core.revision import Node
from corehost.core.state import DatabaseState, LedgerBranch
from corehost.core.tree import BranchTree


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One branch: what of the installed code is applied, and whether the two fit."""

    rows: tuple[str, ...]
    """The known revisions that the database has; what a pass goes on from."""
    state: BranchState | None = None
    """``ahead`` or ``diverged``, or None where the code knows every row."""
    reason: str | None = None
    """Why."""
    blocked: bool = False
    """Whether this code cannot serve this branch, and nothing of it may be run."""
    revision: str | None = None
    """The revision that blocks it."""
    hint: str | None = None
    """What to do about it."""

    def error(self, tree: BranchTree) -> IncompatibleDatabase:
        """Why nothing of a branch may be run."""
        where = tree.where(self.revision)
        return IncompatibleDatabase(self.reason or "the database has diverged", where=where, hint=self.hint)


def standing(
    tree: BranchTree, state: DatabaseState, lineage: Lineage, *, refuse_ahead: bool = False
) -> Standing:
    """Judge one branch; ``lineage`` matters only where the database has rows that the code does not.

    ``ahead``: the database has more than this code knows. It fits where the ledger has recorded what lies
    between, nothing of it is a contract step, and whatever of this code is pending was known to the code
    that went further; ``refuse_ahead`` refuses even that. ``diverged``: two lineages that part ways, or
    revisions of which nothing is recorded.
    """
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
            blocked=True,
        )
    unknown = tree.unknown(rows)
    applied = lineage.closure(unknown)
    known = tuple(sorted({*rows, *applied} & tree.revisions.keys()))
    if half := _half_done(tree, state, known):
        return half
    if not unknown:
        return Standing(rows=rows)
    return (
        _unrecorded(tree, unknown, lineage, known)
        or _parted(tree, unknown, lineage, known)
        or _ahead(tree, applied - tree.revisions.keys(), lineage, known, refuse_ahead=refuse_ahead)
    )


def _half_done(tree: BranchTree, state: DatabaseState, known: tuple[str, ...]) -> Standing | None:
    """A contract step of newer code that goes in batches has begun: its row is written at its end only."""
    attempt = state.open_steps.get(tree.branch.namespace)
    if attempt is None or tree.branch.namespace not in state.half_done or attempt.revision in tree.revisions:
        return None
    return Standing(
        rows=known,
        state="ahead",
        reason=f"a part of {attempt.revision}, a contract step, is done: older code cannot go on",
        blocked=True,
        revision=attempt.revision,
        hint="deploy the version that has it",
    )


def _unrecorded(
    tree: BranchTree, unknown: tuple[str, ...], lineage: Lineage, known: tuple[str, ...]
) -> Standing | None:
    strange = [row for row in unknown if row not in lineage.revisions]
    if not strange:
        return None
    return Standing(
        rows=known,
        state="diverged",
        reason=f"the database has {', '.join(strange)}, which this code does not know, and of which nothing"
        " is recorded",
        blocked=True,
        revision=strange[0],
        hint="deploy the version that has it",
    )


def _parted(
    tree: BranchTree, unknown: tuple[str, ...], lineage: Lineage, known: tuple[str, ...]
) -> Standing | None:
    """Something of this code is pending that the code which went further did not know either."""
    pending = tree.wanted - tree.closure(known)
    for row in unknown:
        if strange := sorted(pending - lineage.known_to_applier(row)):
            return Standing(
                rows=known,
                state="diverged",
                reason=f"this code has {', '.join(strange)}, which is not applied, and the database has"
                f" {_shipped(row, lineage)}, made by code that does not know {strange[0]}",
                blocked=True,
                revision=strange[0],
                hint="deploy a version that has both",
            )
    return None


def _ahead(
    tree: BranchTree,
    between: Collection[str],
    lineage: Lineage,
    known: tuple[str, ...],
    *,
    refuse_ahead: bool,
) -> Standing:
    newest = _newest(between, lineage)
    contracts = _newest(
        [r for r in between if r not in lineage.revisions or lineage.revisions[r].contracts], lineage
    )
    if contracts and not tree.branch.is_ledger:  # the ledger only ever grows
        listed = ", ".join(_shipped(revision, lineage) for revision in contracts)
        return Standing(
            rows=known,
            state="ahead",
            reason=f"the database has {listed}, a contract step: older code cannot go on",
            blocked=True,
            revision=contracts[0],
            hint=_deploy(contracts, lineage),
        )
    reason = f"the database has {', '.join(newest)}, newer than this code"
    if refuse_ahead and not tree.branch.is_ledger:
        return Standing(
            rows=known,
            state="ahead",
            reason=reason,
            blocked=True,
            revision=newest[0],
            hint=f'{_deploy(newest, lineage)}, or set on_database_ahead = "allow"',
        )
    return Standing(rows=known, state="ahead", reason=reason)


def _newest(revisions: Collection[str], lineage: Lineage) -> list[str]:
    """Those that no other of them descends from, sorted."""
    return sorted(
        one
        for one in revisions
        if not any(one in lineage.closure([other]) for other in revisions if other != one)
    )


def _shipped(revision: str, lineage: Lineage) -> str:
    recorded = lineage.revisions.get(revision)
    return f"{revision} of {recorded.shipped_by}" if recorded and recorded.shipped_by else revision


def _deploy(revisions: Collection[str], lineage: Lineage) -> str:
    recorded = [lineage.revisions[r].shipped_by for r in revisions if r in lineage.revisions]
    needed = [text for text in dict.fromkeys(recorded) if text]
    return f"deploy {' and '.join(needed)} or newer" if needed else "deploy the version that has it"


def standings(
    graph: Graph, state: DatabaseState, lineages: Mapping[str, Lineage], *, refuse_ahead: bool = False
) -> Mapping[str, Standing]:
    """The standing of every branch that was read; ``lineages`` has one for each that needs it."""
    return {
        name: standing(graph.trees[name], state, lineages.get(name, UNRECORDED), refuse_ahead=refuse_ahead)
        for name in state.rows
    }


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
    held: Mapping[str, str] = MappingProxyType({}),
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
        deferred=tuple(held),
        held=held,
        lock=holder,
        reason=reason,
        blocked=standing.blocked or judged == "in_doubt",
        revision=standing.revision,
        hint=standing.hint,
    )


def branch_counts(
    graph: Graph, state: DatabaseState, standings: Mapping[str, Standing]
) -> tuple[BranchCount, ...]:
    """Every branch in numbers, sorted by name; what is begun counts as migrating, whoever holds the lock."""
    pending = Counter(
        node.branch for node in graph.pending({name: one.rows for name, one in standings.items()})
    )
    return tuple(
        BranchCount(
            branch=name,
            state=_counted(graph.trees[name], standings[name], state, pending=bool(pending[name])),
            pending=pending[name],
        )
        for name in sorted(standings)
    )


def _counted(tree: BranchTree, standing: Standing, state: DatabaseState, *, pending: bool) -> BranchState:
    attempt = state.open_steps.get(tree.branch.namespace)
    if standing.state is None and attempt is not None and attempt.partial and not attempt.failed:
        return "migrating"
    return _judge(tree, standing, state, pending=pending, holder=None)[0]


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
        return "in_doubt", f"{attempt.what} was begun and a part of it may be committed"
    if pending and holder is not None:
        return "migrating", None
    if pending and attempt is not None and attempt.failed:
        return "failed", f"{attempt.what} failed: {attempt.error}"
    return ("pending" if pending else "current"), None
