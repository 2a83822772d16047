"""Makes what a branch needs before its first step: extensions, schema, version table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from corehost.core.branch import Branch
from corehost.core.errors import StepFailed
from corehost.core.tree import BranchTree
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute, is_lost

ALEMBIC_WIDTH: Final = 32
"""How many characters of a revision id Alembic's own version table has room for."""


def missing_extensions(connection: Connection, extensions: Sequence[str]) -> tuple[str, ...]:
    """Those of the extensions that the database does not have; one round trip, none for none."""
    if not extensions:
        return ()
    return tuple(name for (name,) in execute(connection, sql.MISSING_EXTENSIONS, (list(extensions),)))


def create_extensions(
    connection: Connection, branch: Branch, extensions: Sequence[str], *, schema: str
) -> None:
    """Create extensions, under corehost's own lock: a concurrent IF NOT EXISTS fails.

    Raises StepFailed, naming branch and extension, where the server does not have it or the role may not.
    """
    if not schema_exists(connection, schema):
        execute(connection, sql.CREATE_SCHEMA.format(schema=sql.quoted(schema)))
    for name in extensions:
        try:
            execute(
                connection,
                sql.CREATE_EXTENSION.format(extension=sql.quoted(name), schema=sql.quoted(schema)),
            )
        except psycopg.DatabaseError as error:
            if is_lost(error):
                raise
            raise StepFailed(
                f"extension {name!r} cannot be created: {str(error).splitlines()[0]}",
                where=branch.origin.where(branch=branch.name),
                hint="let an administrator create it, or install it on the server",
            ) from error


def prepare_version_table(connection: Connection, tree: BranchTree, *, exists: bool) -> None:
    """Create schema and version table under the branch's lock, or make room in it for the longest id.

    Raises StepFailed where the role may not.
    """
    width = max(map(len, tree.revisions), default=0)
    if not exists:
        _create_version_table(connection, tree.branch, width=max(ALEMBIC_WIDTH, width))
    elif width > ALEMBIC_WIDTH:
        _widen_version_table(connection, tree.branch, width=width)


def _create_version_table(connection: Connection, branch: Branch, *, width: int) -> None:
    namespace = branch.namespace
    statements = [
        sql.CREATE_VERSION_TABLE.format(
            table=sql.version_table(namespace),
            constraint=sql.quoted(f"{namespace.version_table}_pkc"),
            width=width,
        )
    ]
    if not schema_exists(connection, namespace.schema):
        statements.insert(0, sql.CREATE_SCHEMA.format(schema=sql.quoted(namespace.schema)))
    try:
        execute(connection, "; ".join(statements))
    except psycopg.errors.InsufficientPrivilege as error:
        raise StepFailed(
            f"schema {namespace.schema!r} cannot be made: {str(error).splitlines()[0]}",
            where=branch.origin.where(branch=branch.name),
            hint=f"grant the role CREATE on the database, or create schema {namespace.schema!r} for it",
        ) from error


def _widen_version_table(connection: Connection, branch: Branch, *, width: int) -> None:
    table = sql.version_table(branch.namespace)
    found = execute(connection, sql.VERSION_TABLE_WIDTH, (table,)).fetchone()
    if found is None or found[0] >= width:
        return
    try:
        execute(connection, sql.WIDEN_VERSION_TABLE.format(table=table, width=width))
    except psycopg.errors.InsufficientPrivilege as error:
        raise StepFailed(
            f"version table {table} has {found[0]} characters, and a revision id {width}",
            where=branch.origin.where(branch=branch.name),
            hint="let its owner widen version_num",
        ) from error


def is_empty(connection: Connection, schema: str, *, besides: Sequence[str]) -> bool:
    """Whether a schema has no table, view or sequence but these."""
    return execute(connection, sql.ANY_RELATION, (schema, list(besides))).fetchone() is None


def invalid_indexes(connection: Connection, schema: str) -> tuple[str, ...]:
    """The indexes of a schema that a CREATE INDEX CONCURRENTLY has left unfinished."""
    return tuple(name for (name,) in execute(connection, sql.INVALID_INDEXES, (schema,)))


def drop_invalid_indexes(connection: Connection, schema: str) -> tuple[str, ...]:
    """Drop them, before a step that may have left them is run again.

    CREATE INDEX CONCURRENTLY IF NOT EXISTS would take them for the index that it is to make.
    """
    found = invalid_indexes(connection, schema)
    for name in found:
        execute(connection, sql.DROP_INDEX.format(schema=sql.quoted(schema), index=sql.quoted(name)))
    return found


def schema_exists(connection: Connection, schema: str) -> bool:
    """Whether a schema is there."""
    # CREATE SCHEMA IF NOT EXISTS asks for the right to create one even where it is there already.
    return execute(connection, sql.SCHEMA_EXISTS, (schema,)).fetchone() is not None
