"""The roles of deploy/roles.sql, and the manifests' commands under them, on a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.deployed import DEPLOY, Document, containers, environment
from support.packages import OWN_GROUPS, create_table, revision_source, spec, write_plugin
from support.processes import Finished, Processes

Roles = dict[str, str]


@pytest.fixture
def roles(database: str) -> Iterator[Roles]:
    """The roles of the file, made in the test's database, with the URL of each."""
    prefix = f"r_{uuid.uuid4().hex[:8]}"
    names = ("migrator", "app", "reader")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((DEPLOY / "roles.sql").read_text().replace("shop_", f"{prefix}_"))  # type: ignore[call-overload]
        for name in names:
            connection.execute(f"ALTER ROLE {prefix}_{name} PASSWORD 'secret'")
    yield {name: make_conninfo(database, user=f"{prefix}_{name}", password="secret") for name in names}
    with psycopg.connect(database, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP OWNED BY {prefix}_{name} CASCADE")
            connection.execute(f"DROP ROLE {prefix}_{name}")


@pytest.fixture
def orders(site: Path) -> Path:
    """An installed plugin with a table."""
    revisions = {"1": revision_source("orders1", upgrade=create_table("orders"))}
    write_plugin(
        site,
        "orders",
        spec_source=spec("orders"),
        revisions=revisions,
        entry_points={"tests.plugins": {"orders": "orders.corehost_plugin"}},
    )
    return site


def test_a_job_migrates_and_pods_wait_for_it(
    variants: dict[str, list[Document]], processes: Processes, orders: Path, roles: Roles, tmp_path: Path
) -> None:
    """The Job's command as the migrator, the init container's as the role that may not migrate."""
    files = {"database-url": tmp_path / "database-url", "migration-url": tmp_path / "migration-url"}
    files["database-url"].write_text(roles["app"])
    files["migration-url"].write_text(roles["migrator"])

    def run(container: Document, *more: str) -> Finished:
        told = environment(container) | {"COREHOST_CACHE_DIR": str(tmp_path)}
        for name in [name for name in told if name.endswith("_FILE")]:
            told[name] = str(files[Path(told[name]).name])
        program, *arguments = container["command"]
        assert program == "corehost"
        return processes.run(*arguments, *more, path=[orders], extra={**OWN_GROUPS, **told})

    for way in ("plain with a job", "chart, by job"):
        named = {container["name"]: container for container in containers(variants[way])}
        if way == "plain with a job":
            early = run(named["wait"], "--timeout", "1s")
            assert early.returncode == 4, early.stderr
        migrated = run(named["migrate"])
        assert migrated.returncode == 0, migrated.stderr
        waited = run(named["wait"])
        assert waited.returncode == 0, waited.stderr


def test_each_role_may_do_its_own(processes: Processes, orders: Path, roles: Roles) -> None:
    """Whoever serves writes rows and makes no table; whoever looks writes nothing at all."""

    def corehost(command: str, role: str) -> int:
        return processes.run(command, database=roles[role], path=[orders], extra=OWN_GROUPS).returncode

    assert corehost("migrate", "app") != 0
    assert corehost("migrate", "migrator") == 0
    assert [corehost(command, "reader") for command in ("check", "wait", "status", "history")] == [0] * 4
    with psycopg.connect(roles["app"], autocommit=True) as app:
        app.execute("INSERT INTO orders.orders VALUES (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE orders.mine ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DROP TABLE orders.orders")
    with psycopg.connect(roles["reader"], autocommit=True) as reader:
        assert reader.execute("SELECT id FROM orders.orders").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM orders.orders")
