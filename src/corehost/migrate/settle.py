"""What an operator settles by hand: a step in doubt, a lock that somebody holds for too long."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import reduce

import psycopg

from corehost.core.errors import ConfigurationError, WaitTimedOut, did_you_mean
from corehost.core.graph import Graph
from corehost.core.plan import step_at
from corehost.core.results import LockHolder
from corehost.core.revision import Node
from corehost.core.settings import Settings
from corehost.core.state import OpenStep
from corehost.core.tree import BranchTree
from corehost.postgres import sql
from corehost.postgres.connect import Connection, Connector, execute, translated_errors
from corehost.postgres.ledger import StepRecord
from corehost.postgres.locks import LockSet, holders, terminate
from corehost.postgres.pooler import refuse_transaction_pooler
from corehost.postgres.session import configure, connection_settings, step_settings
from corehost.readiness.look import look


def tree_of(graph: Graph, name: str) -> BranchTree:
    """An installed branch; raises ConfigurationError, with a 'did you mean', where there is none."""
    if name not in graph.trees:
        raise ConfigurationError(f"there is no branch {name!r}", hint=did_you_mean(name, graph.trees))
    return graph.trees[name]


def resolve(graph: Graph, settings: Settings, connector: Connector, node: Node, *, applied: bool) -> OpenStep:
    """Settle a step that a crash or a failure left in doubt, under its namespace's lock.

    ``applied`` writes its version row, as if it had ended well (for a bootstrap those of all that it stands
    for); otherwise it counts as rolled back and the next pass runs it again. Raises ConfigurationError
    where it is not in doubt, WaitTimedOut where somebody holds the lock: then it may still be running.
    """
    tree = tree_of(graph, node.branch)
    if node.revision not in tree.revisions:
        raise ConfigurationError(
            f"branch {node.branch!r} has no revision {node.revision!r}",
            hint=did_you_mean(node.revision, tree.revisions),
        )
    with locked(settings, connector, tree) as connection:
        return _settle(connection, graph, tree, node, applied=applied)


@contextmanager
def locked(settings: Settings, connector: Connector, tree: BranchTree) -> Iterator[Connection]:
    """A connection that holds a branch's namespace.

    Raises WaitTimedOut where somebody else does, or has its version table open for longer than lock_timeout.
    """
    with translated_errors(), closing(connector.open(migrating=True)) as connection:
        refuse_transaction_pooler(connection, lambda: connector.open(migrating=True))
        namespace = tree.branch.namespace
        configure(connection, {**connection_settings(settings), **step_settings(settings, namespace)})
        locks = LockSet(connection, namespace)
        if not locks.try_take():
            raise WaitTimedOut(_held_text(tree, lock_holder(connection, tree)))
        try:
            yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise WaitTimedOut(
                f"somebody has version table {namespace.schema}.{namespace.version_table} open",
                where=tree.where(),
                hint="do it again when that transaction has ended",
            ) from error
        finally:
            locks.release()


def _settle(connection: Connection, graph: Graph, tree: BranchTree, node: Node, *, applied: bool) -> OpenStep:
    state, _ = look(connection, graph, frozenset([node.branch]))
    attempt = state.open_steps.get(tree.branch.namespace)
    if attempt is None or attempt.revision != node.revision or not attempt.partial:
        raise ConfigurationError(
            f"{node} is not in doubt", where=tree.where(node.revision), hint="see 'corehost status'"
        )
    if not applied:
        execute(connection, sql.ROLLED_BACK, (attempt.id,))
        return attempt
    rows = state.rows[node.branch]
    # A bootstrap is recorded under its first revision, and stands for them all.
    others = [one for one in tree.order if one in tree.wanted and one != node.revision]
    also = others if attempt.at_once else []

    def recorded(revision: str, action: str = "upgrade") -> StepRecord:
        step = step_at(graph, Node(node.branch, revision))
        knows = state.knows_releases
        return StepRecord(step, tree.branch, pass_id=uuid.uuid4(), action=action, knows_releases=knows)

    record = recorded(node.revision)
    record.adopt(attempt.id)
    connection.autocommit = False
    try:
        for one in also:
            recorded(one, "bootstrap").add(connection)
        record.finish(
            connection,
            before=rows,
            after=reduce(tree.rows_after, [node.revision, *also], rows),
            settle=True,
            duration_ms=attempt.age * 1000,
        )
    finally:
        connection.rollback()
        connection.autocommit = True
    return attempt


def lock_holder(connection: Connection, tree: BranchTree) -> LockHolder | None:
    """Who holds the lock of a branch's namespace."""
    key = tree.branch.namespace.lock_key
    return holders(connection, [key]).get(key)


def unlock(connector: Connector, tree: BranchTree, holder: LockHolder) -> bool:
    """End the session that holds a branch's namespace; False where it does not hold it any more."""
    with translated_errors(), closing(connector.open()) as connection:
        now = lock_holder(connection, tree)
        return now is not None and now.pid == holder.pid and terminate(connection, holder.pid)


def _held_text(tree: BranchTree, holder: LockHolder | None) -> str:
    schema = tree.branch.namespace.schema
    if holder is None:
        return f"the lock of namespace {schema!r} is held by others"
    return f"the lock of namespace {schema!r} is held by pid {holder.pid} ({holder.application_name})"
