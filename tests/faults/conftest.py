"""What the faulty instances of these tests migrate, and how two databases are compared."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from support.forked import Instance
from support.logged import with_log, write_own
from support.packages import OWN_GROUPS, create_table, revision_source, spec
from support.processes import Processes

collect_ignore = [] if os.geteuid() == 0 and shutil.which("ip") else ["test_dropped_route.py"]

CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS invoices_id ON invoices (id)")"""


@pytest.fixture
def plugins(site: Path) -> Path:
    """Three plugins: plain ones that depend on each other, a concurrent index, an extension."""
    write_own(
        site,
        "accounts",
        spec_source=spec("accounts"),
        revisions={
            "1": revision_source("a1", None, upgrade=create_table("users")),
            "2": revision_source("a2", "a1", upgrade=create_table("teams")),
        },
    )
    write_own(
        site,
        "billing",
        spec_source=spec("billing", requires=("accounts",)),
        revisions={
            "1": revision_source("b1", None, "accounts@a1", upgrade=create_table("invoices")),
            "2": revision_source("b2", "b1", upgrade=CONCURRENTLY, retry_safe=True),
        },
    )
    write_own(
        site,
        "search",
        spec_source=spec("search", extensions=("pg_trgm",)),
        revisions={"1": revision_source("s1", None, upgrade=create_table("documents"))},
    )
    return site


def result_of(url: str, bindir: Path) -> tuple[str, dict[str, list[str]], list[str]]:
    """What a pass has made: the schema as a dump, the version rows, the ledger's applied set."""
    target = conninfo_to_dict(url)
    dump = subprocess.run(
        [bindir / "pg_dump", "--schema-only", "--no-owner", "--dbname", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [
        line
        for line in dump.replace(str(target["dbname"]), "DATABASE").splitlines()
        if not line.startswith(("\\restrict", "\\unrestrict"))
    ]
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            """SELECT schemaname, tablename FROM pg_tables
               WHERE tablename LIKE 'alembic_version%' ORDER BY 1, 2"""
        ).fetchall()
        rows = {
            f"{schema}.{table}": sorted(
                row[0] for row in connection.execute(f'SELECT version_num FROM "{schema}"."{table}"')
            )
            for schema, table in tables
        }
        applied = connection.execute(
            "SELECT branch || '@' || revision FROM corehost.step WHERE outcome = 'applied' ORDER BY 1"
        )
        return "\n".join(lines), rows, [row[0] for row in applied]


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Processes that see these tests' own plugins alone."""
    with Processes(OWN_GROUPS) as running:
        yield running


@pytest.fixture
def logged(database: str) -> str:
    """A database in which revisions can say that they ran."""
    return with_log(database)


@pytest.fixture
def instances() -> Iterator[list[Instance]]:
    """Instances to be ended with the test."""
    started: list[Instance] = []
    yield started
    for instance in started:
        instance.close()
