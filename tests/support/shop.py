"""A host application for tests: throw-away plugins in groups of their own, a database, real commands."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from support.packages import OWN_GROUPS, create_table, revision_source, spec, write_plugin
from support.processes import Finished, Process, Processes

UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


class Shop:
    """A host application: its plugins, its database, its commands."""

    def __init__(self, *, processes: Processes, site: Path, folder: Path, database: str):
        self.folder = folder
        """The working folder, empty at first."""
        self.site = site
        """Where its plugins are installed."""
        self.database = database
        """The URL of its database."""
        self._processes = processes

    def install(self, name: str, revisions: Mapping[str, str] | None = None, **given: Any) -> Path:
        """Install a plugin, by default with one revision that makes a table of the plugin's name."""
        if revisions is None:
            revisions = {f"{name}1": revision_source(f"{name}1", upgrade=create_table(name))}
        hooks, version = given.pop("hooks", ""), given.pop("version", "1.0")
        return write_plugin(
            self.site,
            name,
            spec_source=given.pop("spec_source", None) or spec(name, **given),
            revisions=revisions,
            hooks=hooks,
            version=version,
            entry_points={"tests.plugins": {name: f"{name}.corehost_plugin"}},
        )

    def start(
        self,
        *arguments: str,
        database: str | None = "",
        extra: Mapping[str, str] | None = None,
        program: list[str | Path] | None = None,
        **options: Any,
    ) -> Process:
        """Start ``corehost …`` in the working folder, on the shop's database unless told otherwise."""
        given: dict[str, Any] = {
            "database": self.database if database == "" else database,
            "path": [self.site],
            "extra": {**OWN_GROUPS, **(extra or {})},
            "cwd": self.folder,
            # a test run in the background of a shell hands down that SIGINT is ignored
            "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **options,
        }
        if program is not None:
            return self._processes.start([*program, *arguments], **given)
        return self._processes.corehost(*arguments, **given)

    def run(self, *arguments: str, **options: Any) -> Finished:
        """The same, and wait for its end."""
        return self.start(*arguments, **options).wait()

    def python(self, code: str, *arguments: str, **options: Any) -> Finished:
        """Run a piece of code as a process of the shop, and wait for its end."""
        extra = {**OWN_GROUPS, **options.pop("extra", {})}
        given = {"database": self.database, "path": [self.site], "cwd": self.folder, **options}
        return self._processes.python(code, *arguments, extra=extra, **given).wait()

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run SQL on its database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def advisory_locks(self) -> int:
        """How many advisory locks are held in its database; other tests hold some in theirs."""
        ((count,),) = self.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return int(count)

    def has_table(self, name: str) -> bool:
        """Whether a qualified table exists."""
        return self.execute(f"SELECT to_regclass('{name}')") != [(None,)]
