"""The plan: the ordered steps from what is applied to what is installed. A pure decision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from corehost.core.frontier import Frontier
from corehost.core.graph import Graph
from corehost.core.namespace import Namespace
from corehost.core.revision import Node, Revision, SourceFacts

__all__ = ["Frontier", "Plan", "Step", "make_plan", "step_at"]

_NOT_READ: Final = SourceFacts()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One revision to be applied."""

    node: Node
    """Branch and revision."""
    namespace: Namespace
    """Where it is applied: schema, version table, lock key."""
    revision: Revision
    """The header of its file."""
    depends_on: tuple[Node, ...] = ()
    """The revisions of other branches that it needs, resolved."""
    facts: SourceFacts = _NOT_READ
    """What its source tells beyond the header; read for pending revisions only."""
    at_once: bool = False
    """Whether the branch's bootstrap is run in its place."""
    also: tuple[Step, ...] = ()
    """The steps that the bootstrap makes needless beside this one."""

    @property
    def revisions(self) -> tuple[str, ...]:
        """The ids of all revisions that are applied when it ends well."""
        return (self.node.revision, *(other.node.revision for other in self.also))

    @property
    def message(self) -> str:
        """The first line of the file's docstring."""
        return self.revision.message

    @property
    def is_read(self) -> bool:
        """Whether its source was looked at."""
        return self.facts is not _NOT_READ

    @property
    def transactional(self) -> bool:
        """Whether the whole step is one transaction, as far as its source shows."""
        return self.facts.transactional

    @property
    def destructive(self) -> bool:
        """Whether it drops or narrows data, as far as its source shows."""
        return self.facts.destructive

    def extra(self, event: str, **more: object) -> dict[str, object]:
        """What a log record about it has as ``extra``."""
        return {
            "event": event,
            "branch": self.node.branch,
            "schema": self.namespace.schema,
            "revision": self.node.revision,
            **more,
        }

    def as_dict(self) -> dict[str, object]:
        """One element of ``steps`` in ``corehost plan --json``."""
        return {
            "branch": self.node.branch,
            "schema": self.namespace.schema,
            "revision": self.node.revision,
            "down_revision": list(self.revision.down_revision),
            "depends_on": [str(node) for node in self.depends_on],
            "message": self.message,
            "phase": self.facts.phase,
            "transactional": self.transactional,
            "destructive": self.destructive,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The steps of a pass, in the order of application."""

    steps: tuple[Step, ...] = ()
    deferred: Mapping[Node, str] = field(default_factory=lambda: MappingProxyType({}))
    """Pending steps that a pass would hold back -> why."""

    def __bool__(self) -> bool:
        return bool(self.steps)

    def with_facts(self, facts: Mapping[Node, SourceFacts]) -> Plan:
        """The same plan, its steps told what their sources say."""
        steps = tuple(replace(s, facts=facts.get(s.node, s.facts)) for s in self.steps)
        return replace(self, steps=steps)

    def as_dict(self) -> dict[str, object]:
        """The ``steps`` and ``deferred`` of ``corehost plan --json``."""
        return {
            "steps": [step.as_dict() for step in self.steps],
            "deferred": [
                {"branch": node.branch, "revision": node.revision, "reason": reason}
                for node, reason in sorted(self.deferred.items())
            ],
        }


def make_plan(
    graph: Graph,
    rows: Mapping[str, Iterable[str]],
    *,
    only: str | None = None,
    without: Collection[Node] = (),
) -> Plan:
    """The steps from ``rows`` (branch -> rows of its version table) to every branch's target.

    A pure function, and the same for every instance that has the same branches installed. A plan
    made after any of its prefixes is applied is the rest of it. Raises CycleError where pending
    revisions wait for each other through ``x@head``. ``without`` are steps that are held back, with all
    that need them.
    """
    pending = graph.pending(rows, only).difference(without)
    return Plan(steps=tuple(step_at(graph, node) for node in Frontier(graph, pending).drain()))


def step_at(graph: Graph, node: Node) -> Step:
    """The step that applies a node."""
    return Step(
        node=node,
        namespace=graph.trees[node.branch].branch.namespace,
        revision=graph.revision(node),
        depends_on=graph.foreign_needs(node),
    )
