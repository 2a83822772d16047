"""Fixtures for every suite: one PostgreSQL for the run, a fresh database for a test, bounded processes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from corehost.embedded import LocalPostgres, find_bindir
from support.processes import Processes
from support.shop import Shop

pytest_plugins = ["support.no_skips", "support.no_threads"]

VERSION_VARIABLE = "COREHOST_TEST_PG"

DatabaseFactory = Callable[[], str]


@pytest.fixture(scope="session")
def bindir() -> Path:
    """PostgreSQL's programs: of the major version in ``COREHOST_TEST_PG``, else the first ones found."""
    version = os.environ.get(VERSION_VARIABLE)
    return find_bindir(int(version) if version else None)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, bindir: Path) -> Iterator[LocalPostgres]:
    """The run's PostgreSQL server, of ``bindir``, shared by all pytest-xdist workers."""
    worker = getattr(request.config, "workerinput", {})
    run = worker.get("testrunuid", uuid.uuid4().hex)
    # not below pytest's own folder, which is closed to the user that root runs PostgreSQL as
    directory = Path("/var/tmp", f"corehost-tests-{run[:16]}")
    with LocalPostgres(directory, bindir, temporary=True) as server:
        yield server


@pytest.fixture
def database_factory(postgres: LocalPostgres) -> Iterator[DatabaseFactory]:
    """A function that makes a fresh, empty database at each call and returns its libpq URL.

    All are dropped after the test, whoever is still connected.
    """
    names: list[str] = []

    def create() -> str:
        names.append(f"t_{uuid.uuid4().hex[:12]}")
        _execute(postgres, "CREATE DATABASE {}", names[-1])
        return postgres.url(names[-1])

    yield create
    for name in names:
        _execute(postgres, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@pytest.fixture
def database(database_factory: DatabaseFactory) -> str:
    """The libpq URL of a fresh, empty database, dropped after the test."""
    return database_factory()


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts real processes; whatever still runs after the test is killed."""
    with Processes() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An empty folder to write throw-away installed packages into, for ``PYTHONPATH``."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def shop(processes: Processes, site: Path, tmp_path: Path, database: str) -> Shop:
    """A host application with nothing installed, on an empty database."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shop(processes=processes, site=site, folder=folder, database=database)


def _execute(postgres: LocalPostgres, statement: str, name: str) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
