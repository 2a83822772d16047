"""What the server does not allow, or has no room for: one clear line each, and nothing half done."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from corehost.embedded import LocalPostgres
from support.packages import create_table, revision_source
from support.processes import Finished
from support.shop import Shop


@pytest.fixture
def role(shop: Shop) -> Iterator[str]:
    """A role that may connect and nothing else."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    shop.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    yield name
    shop.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def as_role(shop: Shop, role: str) -> str:
    """The shop's database as that role reaches it."""
    return make_conninfo(shop.database, user=role, password="secret")


def complaint(finished: Finished) -> str:
    """The one line in which a command said what is wrong."""
    lines = [line for line in finished.stderr.splitlines() if line.startswith("corehost: error: ")]
    assert len(lines) == 1, finished.stderr
    assert "Traceback" not in finished.stderr
    return lines[0]


def test_no_right_to_create_a_schema(shop: Shop, role: str) -> None:
    """The line names the schema or the ledger, what is not allowed, and what would do."""
    shop.install("orders")
    finished = shop.run("migrate", database=as_role(shop, role))
    assert finished.returncode in (1, 6)
    assert "permission denied for database" in complaint(finished)
    assert "grant" in finished.stderr
    assert shop.execute("SELECT 1 FROM pg_namespace WHERE nspname IN ('corehost', 'orders')") == []


def test_no_right_to_create_one_plugins_schema(shop: Shop, role: str) -> None:
    """A role that owns the ledger and one schema: that plugin is migrated, the other one named."""
    database = conninfo_to_dict(shop.database)["dbname"]
    shop.install("orders")
    shop.execute(f"GRANT CREATE ON DATABASE {database} TO {role}")
    assert shop.run("migrate", database=as_role(shop, role)).returncode == 0
    shop.execute(f"REVOKE CREATE ON DATABASE {database} FROM {role}")
    shop.install("wiki")
    finished = shop.run("migrate", database=as_role(shop, role))
    assert finished.returncode == 1
    assert "schema 'wiki' cannot be made" in complaint(finished)
    assert "wiki" in complaint(finished)


def test_a_reader_may_look(shop: Shop, role: str) -> None:
    """A role that only reads: check, status, wait and migrate with nothing to do end with 0."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    for schema in ("orders", "corehost"):
        shop.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        shop.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    for command in (["check"], ["status"], ["wait", "--timeout", "5s"], ["migrate"], ["plan"]):
        finished = shop.run(*command, database=as_role(shop, role))
        assert finished.returncode == 0, (command, finished.stderr)


def test_a_reader_cannot_migrate(shop: Shop, role: str) -> None:
    """Where something is pending the line says that permission is denied; nothing was changed."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    for schema in ("orders", "corehost"):
        shop.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        shop.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    versions = shop.site / "orders" / "migrations" / "versions"
    (versions / "2.py").write_text(revision_source("o2", "orders1", upgrade=create_table("lines")))
    finished = shop.run("migrate", database=as_role(shop, role))
    assert finished.returncode in (1, 6)
    assert "permission denied" in complaint(finished)
    assert shop.run("check").returncode == 3


def test_a_role_that_may_not_look(shop: Shop, role: str) -> None:
    """A version table that it may not read is one line too."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    finished = shop.run("check", database=as_role(shop, role))
    assert finished.returncode == 6
    assert "permission denied" in complaint(finished)


def test_an_extension_that_the_server_does_not_have(shop: Shop) -> None:
    """The line names the plugin and the extension; the other plugin is migrated."""
    shop.install("maps", extensions=("no_such_extension",))
    shop.install("orders")
    finished = shop.run("migrate")
    assert finished.returncode == 1
    assert "extension 'no_such_extension' cannot be created" in complaint(finished)
    assert "maps" in complaint(finished)
    assert shop.has_table("orders.orders")


def test_too_many_connections(shop: Shop, role: str) -> None:
    """Where the role may have no more connections: tried again until wait_timeout, then 6 and why."""
    shop.install("orders")
    shop.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    finished = shop.run("migrate", database=as_role(shop, role), extra={"COREHOST_WAIT_TIMEOUT": "500ms"})
    assert finished.returncode == 6
    assert "too many connections" in complaint(finished)


@pytest.fixture(scope="module")
def small_server(bindir: Path) -> Iterator[LocalPostgres]:
    """A server with a lock table for very few."""
    settings = {"max_connections": "8", "max_locks_per_transaction": "10", "max_wal_senders": "0"}
    folder = Path("/var/tmp", f"corehost-small-{uuid.uuid4().hex[:12]}")
    with LocalPostgres(folder, bindir, settings, temporary=True) as server:
        yield server


def many_tables(number: int) -> str:
    """The statement of a revision that makes many tables, and needs a lock for each."""
    return f'for number in range({number}):\n    op.execute(f"CREATE TABLE t{{number}} (id int)")'


def test_a_revision_too_big_for_the_lock_table(shop: Shop, small_server: LocalPostgres) -> None:
    """It fails, is rolled back, and the line says what to raise on the server."""
    shop.install("orders", {"o1": revision_source("o1", upgrade=many_tables(2000))})
    finished = shop.run("migrate", database=small_server.url())
    assert finished.returncode == 1
    assert "out of shared memory" in complaint(finished)
    assert "max_locks_per_transaction" in finished.stderr
    with psycopg.connect(small_server.url()) as connection:
        assert connection.execute("SELECT to_regclass('orders.t0')").fetchone() == (None,)


def test_a_lock_table_that_others_have_filled(shop: Shop, small_server: LocalPostgres) -> None:
    """The server lets nobody in: tried again until wait_timeout, then 6 with what to raise."""
    shop.install("wiki")
    with closing(psycopg.connect(small_server.url(), autocommit=True)) as connection:
        with pytest.raises(psycopg.errors.OutOfMemory):
            connection.execute("SELECT pg_advisory_lock(n) FROM generate_series(1, 100000) n")
        finished = shop.run("migrate", database=small_server.url(), extra={"COREHOST_WAIT_TIMEOUT": "500ms"})
    assert finished.returncode == 6
    assert "out of shared memory" in complaint(finished)
    assert "max_locks_per_transaction" in finished.stderr
