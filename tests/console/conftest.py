"""A console on real plugins and a real database, for tests of a module that share it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest

from corehost.embedded import LocalPostgres
from support.packages import OWN_GROUP, OWN_GROUPS, create_table, revision_source, spec, write_plugin
from support.processes import Process, Processes, wait_until

write_own = partial(write_plugin, group=OWN_GROUP)
"""Writes a plugin that does not meet the examples, which may be installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Plugins, a database that is empty at first, and processes that see both."""

    site: Path
    """The folder of the plugins."""
    database: str
    """The database's URL."""
    processes: Processes
    """Starts processes."""

    def corehost(self, *arguments: str, **extra: str) -> Process:
        """Start ``corehost …`` on it."""
        return self.processes.corehost(*arguments, database=self.database, path=[self.site], extra=extra)

    @contextmanager
    def console(self, *arguments: str, **extra: str) -> Iterator[str]:
        """``corehost console`` on a free port; its address."""
        process = self.corehost("console", "--port", "0", *arguments, **extra)
        try:
            yield wait_until(lambda: _address(process))
        finally:
            process.kill()


def _address(process: Process) -> str | None:
    assert process.running, process.stderr
    found = re.search(r"http://\S+", process.stdout)
    return found[0] if found else None


@pytest.fixture(scope="module")
def world(postgres: LocalPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty database of the module's own, and an empty folder for plugins."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        with Processes(OWN_GROUPS) as processes:
            site = tmp_path_factory.mktemp("site")
            yield World(site=site, database=postgres.url(name), processes=processes)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def chain(name: str, count: int, *, seconds: float = 0, depends_on: str | None = None) -> dict[str, str]:
    """Revisions in a row that make a table each; the second sleeps in the server."""
    sources = {}
    for number in range(1, count + 1):
        upgrade = create_table(f"t{number}")
        if seconds and number == 2:
            upgrade += f'\nop.execute("SELECT pg_sleep({seconds})")'
        down = f"{name}{number - 1}" if number > 1 else None
        needs = depends_on if number == count else None
        message = f"Make table {number} of {name}"
        sources[f"{number:02}"] = revision_source(f"{name}{number}", down, needs, upgrade, message=message)
    return sources


def shop(site: Path, *, seconds: float = 0) -> None:
    """Three plugins, the first of which may take long."""
    write_own(site, "accounts", spec_source=spec("accounts"), revisions=chain("accounts", 3, seconds=seconds))
    billing = chain("billing", 2, depends_on="accounts@accounts2")
    write_own(site, "billing", spec_source=spec("billing", requires=("accounts>=1.0",)), revisions=billing)
    write_own(site, "search", spec_source=spec("search"), revisions=chain("search", 2))
