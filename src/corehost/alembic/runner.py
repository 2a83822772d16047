"""Runs one revision through Alembic's own MigrationContext, on the connection that holds the lock.

Importing this module loads Alembic and SQLAlchemy: only a pass that has something to do does so.
"""

from __future__ import annotations

import importlib
import threading
from argparse import Namespace as Arguments
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from corehost.alembic.named_types import TypesThere
from corehost.alembic.scripts import LazyScript, script_directory
from corehost.core.errors import PluginError
from corehost.core.plan import Step
from corehost.core.rows import counting
from corehost.core.tree import BranchTree

ONE_AT_A_TIME: Final = threading.Lock()
"""Held while a revision runs: ``alembic.op`` and ``alembic.context`` are global to the process."""


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

        On any error what is not committed is left for whoever lent the connection to roll back.
        """
        self._preload()
        namespace = self.tree.branch.namespace
        # SQLAlchemy has asked the server once, when another namespace may have had its turn.
        connection.dialect.default_schema_name = namespace.schema
        with ONE_AT_A_TIME, counting():
            environment, context = self._kept(step, connection)
            context.impl.memo = TypesThere(connection, namespace.schema)
            try:
                with environment, Operations.context(context):
                    context.begin_transaction()  # never left: finish ends it on the server
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
        return self._script(step).module

    def may_touch_driver(self, step: Step) -> bool:
        """Whether the step may set what the driver lets nobody set in a transaction."""
        return step.at_once or self._script(step).may_touch_driver

    def _script(self, step: Step) -> LazyScript:
        script = self._scripts.get_revision(step.node.revision)
        assert isinstance(script, LazyScript)
        return script

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
        importlib.import_module("sqlalchemy.orm")  # see LazyScript
        return importlib.import_module(name)
    except Exception as error:
        raise PluginError(
            f"{key} module {name!r} does not import: {type(error).__name__}: {error}", where=tree.where()
        ) from error
