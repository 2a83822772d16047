"""CKAN's core and sahara: 144 revisions that know nothing of corehost, in one pass with the examples."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corehost.embedded import LocalPostgres
from support.processes import Finished, Processes
from support.registry import installed

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "example_plugins"
PATIENCE = 300.0
"""How long a process is waited for that runs a whole tree, in seconds; a bound, never a measure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """One package's migrations."""

    branch: str
    """Its name in ``corehost.toml``; also its schema."""
    versions: str
    """The folder of its revision files, in the folder of all packages."""
    revisions: int
    """How many it has."""
    tables: int
    """How many tables they leave, Alembic's own aside."""


CKAN = Tree(branch="ckan", versions="ckan/migration/versions", revisions=109, tables=26)
SAHARA = Tree(
    branch="sahara", versions="sahara/db/migration/alembic_migrations/versions", revisions=35, tables=19
)
each_tree = pytest.mark.parametrize("tree", [CKAN, SAHARA], ids=lambda tree: tree.branch)

Stock = Callable[[str, str, Tree], str]
Dump = Callable[[str, str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """What instances have left that were started at once."""

    url: str
    """The database that they have migrated."""
    together: tuple[Finished, ...]
    """How each of them ended."""
    again: Finished
    """One more, started when all of them had ended."""


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder that holds both packages."""
    return installed(HERE / "requirements.txt")


@pytest.fixture(scope="module")
def fleet(
    request: pytest.FixtureRequest,
    packages: Path,
    postgres: LocalPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fleet:
    """Four instances started at once on an empty database, and a fifth when they had ended.

    They run once, whichever pytest-xdist worker wants them first; the database goes with the server.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the one of the whole run
    kept = folder / "fleet.json"
    with open(folder / "fleet.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(migrated(postgres, packages)))
    url, *ended = json.loads(kept.read_text())
    *together, again = (Finished(**one) for one in ended)
    return Fleet(url=url, together=tuple(together), again=again)


def migrated(postgres: LocalPostgres, packages: Path) -> list[Any]:
    """Migrate a new database; returns its URL and how each instance ended, the fifth last."""
    name = f"corpora_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    url = postgres.url(name)
    command = ("migrate", "--json", "--config", str(HERE / "corehost.toml"))
    with Processes() as running:
        started = running.together(4, *command, database=url, path=[packages])
        ended = [process.wait(PATIENCE) for process in started]
        ended.append(running.corehost(*command, database=url, path=[packages]).wait(PATIENCE))
    return [url, *map(asdict, ended)]


@pytest.fixture(scope="module")
def stock(packages: Path) -> Iterator[Stock]:
    """Runs Alembic without corehost on a tree, in a process of its own; returns what it writes."""
    with Processes() as running:

        @cache
        def run(action: str, url: str, tree: Tree) -> str:
            program = [sys.executable, HERE / "stock" / "alembic_alone.py", action, url]
            command = [*program, packages / tree.versions, tree.branch]
            finished = running.start(command, path=[packages]).wait(PATIENCE)
            assert finished.returncode == 0, finished.stderr
            return finished.stdout

        yield run


@pytest.fixture
def dump(bindir: Path) -> Dump:
    """pg_dump's text of a schema without its data and version table."""

    def run(url: str, schema: str) -> str:
        options = ("--schema-only", "--no-owner", f"--schema={schema}", "--exclude-table=*.alembic_version")
        written = subprocess.check_output([bindir / "pg_dump", *options, url], text=True)
        # Newer ones guard their output with a word that is another one each time.
        guards = ("\\restrict ", "\\unrestrict ")
        return "\n".join(line for line in written.splitlines() if not line.startswith(guards))

    return run


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def applied(finished: Finished) -> list[tuple[str, str]]:
    """What an instance says that it has applied: branch and revision of each."""
    return [(step["branch"], step["revision"]) for step in finished.json()["applied"]]


def test_all_instances_that_start_at_once_succeed(fleet: Fleet) -> None:
    """Four instances on an empty database all end well, and say that it is ready."""
    assert [(one.returncode, one.json()["ready"]) for one in fleet.together] == [(0, True)] * 4, [
        one.stderr for one in fleet.together
    ]


@each_tree
def test_every_revision_is_once_in_the_ledger(tree: Tree, fleet: Fleet, stock: Stock) -> None:
    """The ledger has each revision that Alembic finds in the tree as applied, once, and none beside."""
    found = json.loads(stock("read", fleet.url, tree))["revisions"]
    assert len(found) == tree.revisions
    recorded = read(fleet.url, "SELECT branch, outcome, revision FROM corehost.step")
    assert sorted(row for row in recorded if row[0] == tree.branch) == [
        (tree.branch, "applied", revision) for revision in found
    ]


def test_instances_share_what_is_in_the_ledger(fleet: Fleet) -> None:
    """What the instances say they have applied is together what the ledger has, each revision by one."""
    recorded = read(fleet.url, "SELECT branch, revision FROM corehost.step WHERE outcome = 'applied'")
    assert Counter(step for one in fleet.together for step in applied(one)) == Counter(recorded)


def test_example_plugins_are_migrated_by_the_same_pass(fleet: Fleet) -> None:
    """The branches of one pass are the ledger's, all example plugins', and the two that are mounted."""
    examples = {file.parent.name for file in EXAMPLES.glob("*/pyproject.toml")}
    branches = {branch for (branch,) in read(fleet.url, "SELECT branch FROM corehost.step")}
    assert branches == examples | {"corehost", "ckan", "sahara"}


def test_next_instance_has_nothing_to_do(fleet: Fleet) -> None:
    """An instance that starts when they have ended applies nothing and is ready."""
    assert fleet.again.returncode == 0, fleet.again.stderr
    assert applied(fleet.again) == []
    assert fleet.again.json()["ready"]


@each_tree
def test_schema_is_the_one_that_alembic_alone_makes(
    tree: Tree, fleet: Fleet, database: str, stock: Stock, dump: Dump
) -> None:
    """pg_dump of the branch's namespace equals that of a database where stock Alembic ran the same tree."""
    stock("upgrade", database, tree)
    expected = dump(database, tree.branch)
    assert expected.count("CREATE TABLE") == tree.tables
    assert dump(fleet.url, tree.branch) == expected


@each_tree
def test_alembic_reads_the_head(tree: Tree, fleet: Fleet, stock: Stock) -> None:
    """Stock Alembic reads the branch's version table as being at the tree's only head."""
    found = json.loads(stock("read", fleet.url, tree))
    assert found["current"] == found["heads"]
    assert len(found["heads"]) == 1
