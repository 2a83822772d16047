"""What a measurement works in: a server of its own, throw-away plugins, fresh databases."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

from corehost.embedded import LocalPostgres, find_bindir
from support.packages import OWN_GROUPS
from support.processes import Process, Processes


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A running server, and a folder for what is installed."""

    server: LocalPostgres
    folder: Path
    processes: Processes
    """Starts processes that see the folders given to them alone."""

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Start the server of ``COREHOST_TEST_PG``, by default the newest; all is gone afterwards."""
        version = os.environ.get("COREHOST_TEST_PG")
        bindir = find_bindir(int(version) if version else None)
        directory = Path("/var/tmp", f"corehost-bench-{uuid.uuid4().hex[:12]}")
        with (
            LocalPostgres(directory, bindir, temporary=True) as server,
            tempfile.TemporaryDirectory() as folder,
            Processes(OWN_GROUPS) as processes,
        ):
            yield cls(server=server, folder=Path(folder), processes=processes)

    def site(self) -> Path:
        """A new folder to install plugins into."""
        folder = self.folder / f"site-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        return folder

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards."""
        name = f"b_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield self.server.url(name)
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def migrate(self, database: str, site: Path, **settings: str) -> Process:
        """Start ``corehost migrate``; settings by their names."""
        extra = {f"COREHOST_{name.upper()}": value for name, value in settings.items()}
        return self.processes.corehost(
            "migrate", database=database, path=[site], extra={**OWN_GROUPS, **extra}
        )
