"""Takes over what others have applied, or what an operator says is: version rows and ledger, nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg

from corehost.alembic.source import source_facts
from corehost.core.adoption import Adoption, Tracking
from corehost.core.errors import ConfigurationError, GraphError, MigrationError, WaitTimedOut
from corehost.core.graph import Graph
from corehost.core.plan import Step, step_at
from corehost.core.release import release_of
from corehost.core.revision import Node
from corehost.core.settings import Settings
from corehost.core.state import DatabaseState
from corehost.core.tree import BranchTree
from corehost.migrate.settle import locked
from corehost.postgres.connect import Connection, Connector
from corehost.postgres.prepare import is_empty, prepare_version_table
from corehost.postgres.releases import is_recorded, record_release
from corehost.postgres.session import configure, waiting_settings
from corehost.postgres.takeover import read_tracking, write_rows
from corehost.readiness.look import look

_log = logging.getLogger("corehost")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamped:
    """How a branch's version rows were changed."""

    branch: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    added: tuple[str, ...]
    """The revisions that count as applied now, in order."""
    removed: tuple[str, ...]
    """Those that do not any more."""


def survey(
    graph: Graph, settings: Settings, connection: Connection
) -> tuple[tuple[Tracking, ...], frozenset[str]]:
    """What tracks revisions in this database, and the branches that the ledger has already; no lock.

    Raises WaitTimedOut where somebody has one of these tables open for longer than lock_timeout.
    """
    state = look_first(graph, settings, connection)
    ours = frozenset(n for n, t in graph.trees.items() if state.ledger_heads(t.branch.namespace))
    return _tracking(connection), ours


def look_first(graph: Graph, settings: Settings, connection: Connection) -> DatabaseState:
    """Look before anything is written; raises WaitTimedOut where lock_timeout is over before that."""
    configure(connection, waiting_settings(settings))
    with _not_for_ever():
        return look(connection, graph)[0]


def warn_of_empty(graph: Graph, connection: Connection, adoptions: Iterable[Adoption]) -> None:
    """Warn of branches that count as applied while their schema is empty: their tables lie elsewhere."""
    own = {tree.branch.namespace.version_table for tree in graph.trees.values()}
    for adoption in adoptions:
        schema = graph.trees[adoption.branch].branch.namespace.schema
        if adoption and is_empty(connection, schema, besides=[*own, "alembic_version"]):
            _log.warning(
                "%s is said to be applied by %s, but schema %s has no table: set the branch's schema to where"
                " its tables are, or move them",
                adoption.branch,
                adoption.source,
                schema,
                extra={"event": "adopt.empty", "branch": adoption.branch, "schema": schema},
            )


def adopt(
    graph: Graph,
    settings: Settings,
    connector: Connector,
    adoptions: Iterable[Adoption],
    seen: tuple[Tracking, ...] | None,
) -> None:
    """Write version tables and ledger of what was worked out, each branch under its namespace's lock.

    ``seen`` are the tables that it was worked out from: they are read again under each lock. Raises
    MigrationError where they have changed, WaitTimedOut where somebody holds a lock, or has a table open for
    longer than lock_timeout; what was taken over before stays so, and doing it again goes on from there.
    """
    for adoption in adoptions:
        tree = graph.trees[adoption.branch]
        with locked(settings, connector, tree) as connection:
            if seen is not None and read_rows(_tracking(connection)) != read_rows(seen):
                raise MigrationError(
                    "somebody has applied revisions meanwhile", where=tree.where(), hint="do it again"
                )
            _write(connection, graph, tree, adoption.rows, action="adopt")
            # the table of this branch is there now: what others are compared with
            seen = _tracking(connection) if seen is not None else None


def stamp(
    graph: Graph, settings: Settings, connector: Connector, tree: BranchTree, targets: Iterable[str]
) -> Stamped:
    """Say that a branch is at these revisions (``heads``, ``base``, ids, labels), whatever was applied.

    Nothing but version rows and ledger is changed. Raises GraphError for a target that is none,
    ConfigurationError for the ledger's own branch, WaitTimedOut where somebody holds the lock.
    """
    if tree.branch.is_ledger:
        raise ConfigurationError("corehost's own branch cannot be stamped")
    wanted = [revision for target in targets if target != "base" for revision in tree.resolve(target)]
    with locked(settings, connector, tree) as connection:
        return _write(connection, graph, tree, tree.rows_of(tree.closure(wanted)), action="stamp")


def read_rows(tables: Iterable[Tracking]) -> dict[str, tuple[str, ...]]:
    """The rows of tables that have any, by name."""
    return {table.name: table.rows for table in tables if table.rows}


def _tracking(connection: Connection) -> tuple[Tracking, ...]:
    with _not_for_ever():
        return read_tracking(connection)


@contextmanager
def _not_for_ever() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise WaitTimedOut(
            "somebody has a table open that revisions are tracked in",
            hint="do it again when that transaction has ended",
        ) from error


def _write(
    connection: Connection, graph: Graph, tree: BranchTree, rows: tuple[str, ...], *, action: str
) -> Stamped:
    state, _ = look(connection, graph, frozenset([tree.branch.name]))
    prepare_version_table(connection, tree, exists=tree.branch.name not in state.without_table)
    before = state.rows[tree.branch.name]
    was, now = tree.applied(before), tree.applied(rows)
    has_ledger = bool(state.ledger_heads(tree.branch.namespace))
    added = [
        revision for revision in tree.order if revision in now and (revision not in was or not has_ledger)
    ]
    removed = [revision for revision in tree.order if revision in was - now]
    release = release_of(graph)
    if state.knows_releases and not is_recorded(connection, release):
        record_release(connection, graph, release, lambda _: None)
    write_rows(
        connection,
        tree.branch,
        [_read(step_at(graph, Node(tree.branch.name, revision))) for revision in added],
        action=action,
        release=release.digest if state.knows_releases else None,
        before=before,
        after=rows,
        reverted=removed,
    )
    return Stamped(
        branch=tree.branch.name, before=before, after=rows, added=tuple(added), removed=tuple(removed)
    )


def _read(step: Step) -> Step:
    """The step with what its source tells: older code that meets it asks whether it dropped anything."""
    try:
        return replace(step, facts=source_facts(step.revision.path))
    except GraphError:
        return step
