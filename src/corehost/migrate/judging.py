"""What of a branch must not be run, found out while its namespace's lock is held."""

from __future__ import annotations

from dataclasses import replace

from corehost.core.errors import IncompatibleDatabase, StepFailed
from corehost.core.revision import Node
from corehost.core.standing import Standing
from corehost.core.state import DatabaseState, OpenStep
from corehost.migrate.context import PassContext
from corehost.migrate.findings import Findings
from corehost.postgres.connect import Connection
from corehost.postgres.locks import holders


def judge(
    name: str,
    context: PassContext,
    findings: Findings,
    connection: Connection,
    state: DatabaseState,
    standing: Standing,
) -> None:
    """Note why nothing of the branch must be run; 'in doubt' is concluded here, never from a look."""
    tree = context.graph.trees[name]
    branch = tree.branch
    where = branch.origin.where(branch=name)
    if standing.blocked:
        findings.blocked[name] = standing.error(tree)
        return
    attempt = state.open_steps.get(branch.namespace)
    if attempt is not None and attempt.partial:
        is_known = attempt.revision in tree.revisions
        if is_known and context.facts(Node(name, attempt.revision)).retry_safe:
            return
        if _runs_in_background(attempt, connection):
            return
        findings.blocked[name] = IncompatibleDatabase(
            f"{attempt.what} is in doubt: begun at {attempt.started_at:%Y-%m-%d %H:%M:%S}"
            f" by {attempt.host}:{attempt.pid}, and a part of it may be committed",
            where=where,
            hint=f"look at the database, then say how it stands with 'corehost resolve {name}"
            f" {attempt.revision}'",
        )
    elif (
        # Somebody has tried it since this pass began: thirty instances need not all do so.
        attempt is not None
        and attempt.failed
        and attempt.id not in context.old_failures
        and attempt.version == branch.origin.version
    ):
        findings.blocked[name] = StepFailed(
            f"{attempt.what} failed at {attempt.host}:{attempt.pid}: {attempt.error}",
            where=replace(where, revision=attempt.revision),
        )


def _runs_in_background(attempt: OpenStep, connection: Connection) -> bool:
    """Whether it is run at this moment, under the lock of background steps."""
    found = holders(connection, [attempt.namespace.background.lock_key])
    return any(holder.pid == attempt.backend_pid for holder in found.values())
