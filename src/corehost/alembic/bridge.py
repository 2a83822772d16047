"""Runs one revision through Alembic's own MigrationContext, on the connection that holds the lock.

Importing this module loads Alembic and SQLAlchemy: only a pass that has something to do does so.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
from argparse import Namespace as Arguments
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Protocol

import psycopg
import sqlalchemy as sa

# Revision files in the wild use sa.orm without importing it.
import sqlalchemy.orm
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from corehost.alembic.scripts import LazyScript, script_directory
from corehost.alembic.statements import ends_transaction
from corehost.core.errors import PluginError
from corehost.core.plan import Step
from corehost.core.rows import counting
from corehost.core.tree import BranchTree

assert sqlalchemy.orm

ONE_AT_A_TIME: Final = threading.Lock()
"""Held while a revision runs: ``alembic.op`` and ``alembic.context`` are global to the process."""

# Too much rather than too little: what is no commit costs a row that is then rolled back or finished.
_MAY_COMMIT: Final = re.compile(
    r"(?:^|;|\*/)\s*(?:COMMIT|END|PREPARE\s+TRANSACTION)\b", re.IGNORECASE | re.MULTILINE
)
_IDLE: Final = psycopg.pq.TransactionStatus.IDLE
_AUTOCOMMIT_BLOCK: Final = inspect.unwrap(MigrationContext.autocommit_block).__code__
_TYPE_KINDS: Final = {"pg_enum": "e", "pg_ENUM": "e", "pg_domain": "d", "pg_DOMAIN": "d"}
_TYPES: Final = """
SELECT typname FROM pg_catalog.pg_type
WHERE typnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %s) AND typtype = %s"""


class Watcher(Protocol):
    """Told of what a running revision does to its transaction."""

    def before_early_commit(self) -> None:
        """A part of the step is about to be committed, on the same connection."""

    def autocommit(self, active: bool) -> None:
        """Statements now run outside (or again inside) a transaction."""

    def meddled(self, what: str) -> None:
        """The revision does what the lock, or the step's one transaction, cannot answer for."""


class Bridge:
    """SQLAlchemy over one psycopg connection of the pass."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._watcher: Watcher | None = None
        self._in_autocommit = False
        # One connection, made elsewhere and closed elsewhere; SQLAlchemy may not reset it in between.
        self._engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: raw, poolclass=StaticPool, pool_reset_on_return=None
        )
        event.listen(self._engine, "commit", self._on_commit)
        event.listen(self._engine, "before_cursor_execute", self._on_statement)
        event.listen(self._engine, "after_cursor_execute", self._after_statement)

    @contextmanager
    def borrowed(self, watcher: Watcher) -> Iterator[sa.Connection]:
        """A SQLAlchemy connection for one attempt of a step; what is not committed is rolled back."""
        raw = self._raw
        raw.autocommit = False
        try:
            with self._engine.connect() as connection, _other_engines(self._engine, watcher):
                self._watcher, self._in_autocommit = watcher, False
                yield connection
        finally:
            self._watcher = None
            if not raw.closed:
                if raw.info.transaction_status != _IDLE:
                    raw.rollback()
                raw.autocommit = True
                raw.isolation_level = None

    def _on_commit(self, connection: sa.Connection) -> None:
        if self._watcher is not None:
            if not _in_autocommit_block():
                self._watcher.meddled("commits by itself")
            self._watcher.before_early_commit()

    def _on_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self._watcher is None:
            return
        if self._raw.autocommit != self._in_autocommit:
            self._in_autocommit = self._raw.autocommit
            self._watcher.autocommit(self._in_autocommit)
        if not self._in_autocommit and _MAY_COMMIT.search(statement):
            self._watcher.before_early_commit()

    def _after_statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if self._watcher is None or self._raw.autocommit:
            return
        # A function's body may have lines that begin with END: what counts is that the transaction is over.
        ended = self._raw.info.transaction_status == _IDLE
        if ended or (_MAY_COMMIT.search(statement) and ends_transaction(statement)):
            self._watcher.meddled("commits by itself")


class _TypesThere(dict[str, Any]):
    """What SQLAlchemy remembers of the named types that it has made for tables, so as to make each once.

    Stock Alembic remembers it from the first revision of a run to the last: histories rely on that, and break
    when the second half is run by another process. What the namespace has is remembered by the database.
    """

    def __init__(self, connection: sa.Connection, schema: str):
        super().__init__()
        self._connection = connection
        self._schema = schema

    def __contains__(self, kind: object) -> bool:
        if not super().__contains__(kind) and kind in _TYPE_KINDS:
            found = self._connection.exec_driver_sql(_TYPES, (self._schema, _TYPE_KINDS[str(kind)])).scalars()
            self[str(kind)] = {key for name in found for key in ((None, name), (self._schema, name))}
        return super().__contains__(kind)


@contextmanager
def _other_engines(own: sa.Engine, watcher: Watcher) -> Iterator[None]:
    """Notice connections that this thread gets from any other engine meanwhile."""
    thread = threading.get_ident()

    def connected(connection: sa.Connection) -> None:
        if connection.engine is not own and threading.get_ident() == thread:
            url = connection.engine.url.set(query={}).render_as_string(hide_password=True)
            watcher.meddled(f"uses a connection of its own, to {url}")

    event.listen(sa.Engine, "engine_connect", connected)
    try:
        yield
    finally:
        event.remove(sa.Engine, "engine_connect", connected)


def _in_autocommit_block() -> bool:
    """Whether it is Alembic that commits, for an ``autocommit_block``."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is _AUTOCOMMIT_BLOCK:
            return True
        frame = frame.f_back
    return False


class BranchRunner:
    """One branch's ScriptDirectory and what its revisions see through ``alembic.context``."""

    def __init__(self, tree: BranchTree):
        self.tree = tree
        """The branch."""
        branch = tree.branch
        self._config = Config(cmd_opts=Arguments(x=[f"{k}={v}" for k, v in branch.x_arguments.items()]))
        self._config.set_main_option("script_location", str(branch.script_location).replace("%", "%%"))
        for key, value in branch.options.items():
            self._config.set_main_option(key, value.replace("%", "%%"))
        self._scripts = script_directory(tree)
        self._preloaded = False
        self._made: tuple[EnvironmentContext, MigrationContext] | None = None
        self._engine: sa.Engine | None = None

    def rows_after(self, rows: Iterable[str], *revisions: str) -> tuple[str, ...]:
        """The rows of the version table that Alembic's HeadMaintainer would leave after these revisions."""
        after = tuple(rows)
        for revision in revisions:
            after = self.tree.rows_after(after, revision)
        return after

    def upgrade(self, step: Step, connection: sa.Connection, finish: Callable[[], None]) -> None:
        """Run a revision's ``upgrade()``, or the branch's bootstrap, then ``finish``, which commits.

        Rolls back on any error.
        """
        self._preload()
        namespace = self.tree.branch.namespace
        # SQLAlchemy has asked the server once, when another namespace may have had its turn.
        connection.dialect.default_schema_name = namespace.schema
        with ONE_AT_A_TIME, counting():
            environment, context = self._kept(step, connection)
            context.impl.memo = _TypesThere(connection, namespace.schema)
            try:
                with environment, Operations.context(context), context.begin_transaction():
                    if step.at_once:
                        self._bootstrap(connection)
                    else:
                        self.module(step).upgrade()
                    finish()
            except BaseException:
                self._made = None
                raise

    @contextmanager
    def context(self, step: Step, **configuration: Any) -> Iterator[MigrationContext]:
        """What ``alembic.op`` and ``alembic.context`` stand for while a step is written down."""
        self._preload()
        environment = self._environment(step, as_sql=configuration.get("as_sql", False))
        with ONE_AT_A_TIME, counting(), environment:
            context = self._configured(environment, **configuration)
            with Operations.context(context):
                yield context

    def module(self, step: Step) -> Any:
        """The executed file of a step."""
        script = self._scripts.get_revision(step.node.revision)
        assert isinstance(script, LazyScript)
        return script.module

    def _kept(self, step: Step, connection: sa.Connection) -> tuple[EnvironmentContext, MigrationContext]:
        """Alembic's environment and context for a step on this connection.

        Made once, as stock Alembic does: making them takes longer than many a revision.
        """
        if self._made is None or self._engine is not connection.engine:
            fresh = self._environment(step, as_sql=False)
            self._made = fresh, self._configured(fresh, connection=connection)
            self._engine = connection.engine
        environment, context = self._made
        environment.context_opts["destination_rev"] = step.node.revision
        context.connection = context.impl.connection = connection
        return environment, context

    def _environment(self, step: Step, *, as_sql: bool) -> EnvironmentContext:
        shown = {"as_sql": as_sql, "tag": None, "destination_rev": step.node.revision}
        return EnvironmentContext(self._config, self._scripts, **shown)

    def _configured(self, environment: EnvironmentContext, **configuration: Any) -> MigrationContext:
        namespace = self.tree.branch.namespace
        environment.configure(
            target_metadata=self._metadata(),
            version_table=namespace.version_table,
            version_table_schema=namespace.schema,
            transaction_per_migration=False,
            **configuration,
        )
        context: MigrationContext = environment.get_context()
        # Packages hand settings to configure() too, for revisions that read op.get_context().opts.
        for key, value in self.tree.branch.options.items():
            context.opts.setdefault(key, value)
        return context

    def _bootstrap(self, connection: sa.Connection) -> None:
        path = self.tree.branch.bootstrap
        assert path is not None
        self._named(path, "bootstrap")(connection)

    def _preload(self) -> None:
        if not self._preloaded:
            for name in self.tree.branch.preload:
                _imported(self.tree, name, "preload")
            self._preloaded = True

    def _metadata(self) -> Any:
        path = self.tree.branch.metadata
        return None if path is None else self._named(path, "metadata")

    def _named(self, path: str, key: str) -> Any:
        """The object that ``"module:attribute"`` names. Raises PluginError."""
        module, _, attribute = path.partition(":")
        found: Any = _imported(self.tree, module, key)
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise PluginError(
                    f"{key} {path!r} names {part!r}, which is not there", where=self.tree.where()
                )
            found = getattr(found, part)
        return found


def _imported(tree: BranchTree, name: str, key: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise PluginError(
            f"{key} module {name!r} does not import: {type(error).__name__}: {error}", where=tree.where()
        ) from error
