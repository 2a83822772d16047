"""What is looked at before a process's first step: does all of it compile, and may it destroy anything."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import psycopg

from corehost.core.errors import DestructiveStepRefused, GraphError, Where
from corehost.core.graph import Graph
from corehost.core.plan import step_at
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.context import PassContext
from corehost.migrate.findings import Findings
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import StepRecord
from corehost.postgres.locks import LockSet, holders

_log = logging.getLogger("corehost")


def compile_pending(context: PassContext, findings: Findings, pending: frozenset[Node]) -> int:
    """Compile all that is pending before this process's first step: no half pass for a syntax error.

    Returns how many optional branches have one, and are found to be left out.
    """
    blocked_before = len(findings.blocked)
    for node in sorted(findings.of_use(pending) - context.compiled):
        if node.branch in findings.blocked:
            continue
        try:
            context.facts(node)
            context.compiled.add(node)
        except GraphError as error:
            if node.branch == context.only or not context.settings.is_optional(node.branch):
                raise
            findings.blocked[node.branch] = error
            findings.untold[node] = error
    return len(findings.blocked) - blocked_before


def tell_what_does_not_compile(
    context: PassContext, findings: Findings, connection: Connection, state: DatabaseState
) -> None:
    """Record it as failed once there is a ledger: those who only look compile nothing and learn it there."""
    while state.has_ledger and findings.untold:
        node, error = findings.untold.popitem()
        branch = context.graph.trees[node.branch].branch
        told = state.open_steps.get(branch.namespace)
        if told is not None and (told.revision, told.version) == (node.revision, branch.origin.version):
            continue  # by somebody else with this code
        step = step_at(context.graph, node)
        record = StepRecord(
            step,
            branch,
            pass_id=context.pass_id,
            knows_releases=state.knows_releases,
        )
        try:
            record.fail(connection, error=str(error), duration_ms=0.0)
        except psycopg.errors.InsufficientPrivilege as refused:
            reason = str(refused).splitlines()[0]
            about = step.extra("ledger.not_told")
            _log.warning("%s: the ledger cannot be told: %s", node, reason, extra=about)


def is_others(
    context: PassContext, findings: Findings, connection: Connection, pending: frozenset[Node], locks: LockSet
) -> bool:
    """Whether what this pass must not run because it destroys data is being run by somebody who may.

    Raises DestructiveStepRefused, naming all of it, where it is nobody's: before any step, so that whoever
    is refused finds the database as it was.
    """
    if context.allow_destructive or context.settings.on_destructive == "allow":
        return False
    refused = sorted(
        node
        for node in findings.of_use(pending)
        if node.branch not in findings.blocked and context.facts(node).destructive
    )
    if not refused:
        return False
    keys = {context.graph.trees[node.branch].branch.namespace.lock_key for node in refused}
    if holders(connection, sorted(keys - {locks.own})):
        return True
    raise destructive_refused(context.graph, refused)


def destructive_refused(graph: Graph, refused: Sequence[Node]) -> DestructiveStepRefused:
    """The error that names all of what would drop or narrow data."""
    first = refused[0]
    listed = ", ".join(map(str, refused))
    return DestructiveStepRefused(
        f"{listed} would drop or narrow data, and on_destructive is 'refuse'",
        where=graph.trees[first.branch].where(first.revision) if len(refused) == 1 else Where(),
        hint="look at it with 'corehost plan', then run 'corehost migrate --allow-destructive'",
    )
