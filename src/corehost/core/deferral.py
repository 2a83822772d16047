"""Which contract steps are held back, and for whom: pure decisions over what a look has found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from corehost.core.graph import Graph
from corehost.core.lineage import UNRECORDED, Lineage
from corehost.core.policy import Policy
from corehost.core.present import Present
from corehost.core.release import ReleasedBranch
from corehost.core.revision import Node
from corehost.core.tree import BranchTree


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Why a step is held back."""

    reason: str
    """For whom, or for what."""
    older: frozenset[str] = frozenset()
    """The digests of instances that are present and keep it, or what it needs, back."""
    seconds: float | None = None
    """How long it is held back at least; None where that is not known."""
    in_background: bool = False
    """Whether it is a background step itself: an instance that serves runs it."""
    by_hand: bool = False
    """Whether nothing but ``corehost migrate --contract`` will run it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """One release that has been here, and what it has of one branch."""

    digest: str
    released: ReleasedBranch
    age: float
    """Seconds since an instance of it was last known to be here."""
    unseen: bool
    """Whether instances of it have served that could hold no presence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What decides about the contract steps of some branches."""

    present: tuple[Present, ...] = ()
    """The instances that serve."""
    past: Mapping[str, tuple[Past, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Branch -> the releases that have had it."""
    ages: Mapping[Node, float] = field(default_factory=lambda: MappingProxyType({}))
    """Contract step -> seconds since the first code that has it came here."""
    strangers: frozenset[str] = frozenset()
    """The branches of which something was applied by code that nobody has recorded."""
    lineages: Mapping[str, Lineage] = field(default_factory=lambda: MappingProxyType({}))
    """Branch -> what is recorded of it; where some code has heads that are not known here."""


def judge_contract(tree: BranchTree, node: Node, found: Situation, policy: Policy) -> Held | None:
    """Whether a contract step is held back; None where it may be run now.

    An instance is older where its code has the branch, but not this very revision: whether it needs what
    the step takes away cannot be known. While one is present, or one of which the ledger knows nothing,
    nobody runs the step. Where none has ever been there, nothing is waited for.
    """
    older = [one for one in found.present if _is_older(tree, node, one, found)]
    if older:
        return Held(reason=f"waits for {_listed(tree, older)}", older=frozenset(one.digest for one in older))
    if policy.contract_now:
        return None
    past = [
        one for one in found.past.get(node.branch, ()) if not _includes(tree, node, one.released.heads, found)
    ]
    if not past and node.branch not in found.strangers:
        return None
    if policy.contract == "manual":
        return Held(reason="is left to 'corehost migrate --contract'", by_hand=True)
    if unseen := [one for one in past if one.unseen]:
        shipped = _version(tree, unseen[0].released)
        return Held(
            reason=f"is left to 'corehost migrate --contract', since instances of {shipped} cannot be seen",
            by_hand=True,
        )
    if policy.refuse_destructive and policy.facts(node).destructive:
        return Held(
            reason="is left to 'corehost migrate --contract --allow-destructive', as on_destructive says",
            by_hand=True,
        )
    left = policy.contract_delay - min([found.ages.get(node, 0.0), *(one.age for one in past)])
    if left > 0:
        return Held(reason=f"waits for {left:.0f} s more, as contract_delay says", seconds=left)
    return None


def is_guarded(tree: BranchTree, node: Node, found: Situation) -> bool:
    """Whether code without the step may have been here, and serve without a presence that is seen."""
    return node.branch in found.strangers or any(
        not _includes(tree, node, one.released.heads, found) for one in found.past.get(node.branch, ())
    )


def with_dependents(
    graph: Graph, pending: Collection[Node], held: Mapping[Node, Held]
) -> Mapping[Node, Held]:
    """The same with every pending step that needs one of these, directly or through others."""
    found = dict(held)
    dependents: dict[Node, list[Node]] = {}
    for node in pending if held else ():
        for need in graph.needs(node):
            dependents.setdefault(need, []).append(node)
    stack = sorted(held)
    while stack:
        need = stack.pop()
        for node in dependents.get(need, ()):
            if node not in found:
                found[node] = Held(
                    reason=f"needs {need}, which is held back",
                    older=found[need].older,
                    seconds=found[need].seconds,
                    by_hand=found[need].by_hand,
                )
                stack.append(node)
    return found


def _is_older(tree: BranchTree, node: Node, one: Present, found: Situation) -> bool:
    if not one.recorded:
        return True
    released = one.branches.get(node.branch)
    return released is not None and not _includes(tree, node, released.heads, found)


def _includes(tree: BranchTree, node: Node, heads: Iterable[str], found: Situation) -> bool:
    """Whether code with these heads has a revision, by our own files, and else by what is recorded."""
    heads = tuple(heads)
    if node.revision in tree.closure(head for head in heads if head in tree.revisions):
        return True
    return node.revision in found.lineages.get(node.branch, UNRECORDED).closure(heads)


def _listed(tree: BranchTree, older: Collection[Present]) -> str:
    name = tree.branch.name
    texts = [
        f"{_version(tree, one.branches[name])} at {one}"
        if name in one.branches
        else f"{one}, whose code nobody knows"
        for one in older
    ]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more


def _version(tree: BranchTree, released: ReleasedBranch) -> str:
    origin = released.origin
    return f"{origin.distribution or tree.branch.name} {origin.version or '(no version)'}"
