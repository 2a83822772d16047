"""What a start and a pass cost, counted in modules, requests, files and locks: never in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.trees import settle
from corehost.core.branch import Branch, Origin
from corehost.core.namespace import Namespace, lock_key
from corehost.embedded import find_bindir
from corehost.postgres.connect import Connection
from corehost.postgres.rows import read_rows
from corehost.postgres.sql import PROGRESS
from corehost.postgres.state import read_state
from support.cluster import Cluster
from support.packages import create_table, revision_source
from support.processes import wait_until
from support.shop import Shop
from support.wire import Wire

HEAVY = ("alembic", "importlib_metadata", "packaging", "pluggy", "rich", "sqlalchemy", "corehost.discovery")
"""Libraries that a start with nothing to do has no use for."""
LOADED = """
import sys
from corehost.cli.application import run
code = run(["{command}", "-q"])
ours = sorted(name for name in sys.modules if name.startswith("corehost."))
print(code, len(ours), *[name for name in {heavy!r} if name in sys.modules])
"""
MANY = 1000


@pytest.fixture
def settled(shop: Shop) -> Shop:
    """A shop with one revision applied, and an index."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    settle(shop.site)
    assert shop.run("index", extra=_cache(shop)).returncode == 0
    return shop


def _cache(shop: Shop) -> dict[str, str]:
    return {"COREHOST_CACHE_DIR": str(shop.folder / "cache")}


def test_a_check_with_nothing_to_do_loads_no_heavy_library(settled: Shop) -> None:
    """Neither Alembic nor what discovery needs; and of corehost itself what is needed, no more."""
    code = LOADED.format(command="check", heavy=HEAVY)
    settled.python(code, extra=_cache(settled))  # its sys.path is not that of the command: its own index
    exit_code, ours, *heavy = settled.python(code, extra=_cache(settled)).stdout.split()
    assert (exit_code, heavy) == ("0", [])
    assert int(ours) < 45


def test_a_check_with_nothing_to_do_asks_once(settled: Shop) -> None:
    """One request; two where there is no index."""
    with Wire(settled.database) as wire:
        assert settled.run("check", database=wire.url, extra=_cache(settled)).returncode == 0
        assert len(wire.requests) == 1
        assert settled.run("check", database=wire.url).returncode == 0
        assert len(wire.requests) == 3


def test_a_pass_with_nothing_to_do_loads_no_alembic(settled: Shop) -> None:
    """A start whose database is current needs neither it nor SQLAlchemy."""
    code = LOADED.format(command="migrate", heavy=("alembic", "sqlalchemy"))
    exit_code, _, *heavy = settled.python(code).stdout.split()
    assert (exit_code, heavy) == ("0", [])


def test_a_pass_loads_the_orm_only_for_revisions_that_use_it(shop: Shop) -> None:
    """A tenth of a second, which most have no use for."""
    shop.install("orders")
    code = LOADED.format(command="migrate", heavy=("alembic", "sqlalchemy.orm"))
    exit_code, _, *heavy = shop.python(code).stdout.split()
    assert (exit_code, heavy) == ("0", ["alembic"])


def test_a_revision_costs_one_request_beyond_its_own(shop: Shop) -> None:
    """Its statement, then its end with the beginning of the next: 10 more revisions, 20 more requests."""

    def source(number: int) -> str:
        parent = f"o{number - 1}" if number else None
        return revision_source(f"o{number}", parent, upgrade=create_table(f"t{number}"))

    versions = shop.install("orders", {"0": source(0)}) / "migrations" / "versions"
    assert shop.run("migrate").returncode == 0
    seen = []
    for numbers in (range(1, 3), range(3, 15)):
        for number in numbers:
            (versions / f"{number}.py").write_text(source(number))
        with Wire(shop.database) as wire:
            assert shop.run("migrate", database=wire.url).returncode == 0
            # A pass that takes long tells others how far it is: that comes with time, not with revisions.
            seen.append(sum("corehost.instance" not in request.text for request in wire.requests))
    assert seen[1] - seen[0] == 20


def test_a_waiting_instance_asks_once_a_look(settled: Shop) -> None:
    """Who holds what and whether anybody has got on is one request; the state is read when that changes."""
    settled.install("bills")
    with psycopg.connect(settled.database, autocommit=True) as holder, Wire(settled.database) as wire:
        holder.execute("SELECT pg_advisory_lock(%s)", (lock_key("bills"),))
        waiting = settled.start("migrate", database=wire.url)
        wait_until(lambda: sum(PROGRESS in request.text for request in wire.requests) >= 5)
        # What is told of a wait that takes long, and heard of the holder, comes with time and not with looks.
        told = ("corehost.instance", "rows_done")
        seen = [r.text for r in wire.requests if not any(part in r.text for part in told)]
        looks = seen[next(place for place, text in enumerate(seen) if PROGRESS in text) :]
        assert all(PROGRESS in text for text in looks)
        holder.execute("SELECT pg_advisory_unlock(%s)", (lock_key("bills"),))
        assert waiting.wait().returncode == 0
    assert settled.has_table("bills.bills")


def test_what_is_held_in_common_is_tried_at_each_look(settled: Shop) -> None:
    """Nothing shows that a namespace is free which others have held shared, while another one is held."""
    settled.install("bills")
    settled.install("cards")
    with psycopg.connect(settled.database, autocommit=True) as holder, Wire(settled.database) as wire:
        holder.execute("SELECT pg_advisory_lock(%s)", (lock_key("bills"),))
        holder.execute("SELECT pg_advisory_lock_shared(%s)", (lock_key("cards"),))
        waiting = settled.start("migrate", database=wire.url)
        wait_until(lambda: sum(PROGRESS in request.text for request in wire.requests) >= 4)
        texts = [request.text for request in wire.requests]
        assert sum(f"lock({lock_key('cards')})" in text for text in texts) >= 4
        holder.execute("SELECT pg_advisory_unlock_all()")
        assert waiting.wait().returncode == 0


def test_a_pass_executes_only_what_it_runs(shop: Shop) -> None:
    """Of six files, the five that are applied are not imported again."""
    told = shop.folder / "executed"
    head = f"with open({str(told)!r}, 'a') as file:\n    file.write(revision + '\\n')\n"

    def source(number: int) -> str:
        parent = f"o{number - 1}" if number else None
        return revision_source(f"o{number}", parent, upgrade=create_table(f"t{number}"), head=head)

    package = shop.install("orders", {str(number): source(number) for number in range(5)})
    assert shop.run("migrate").returncode == 0
    assert told.read_text().split() == ["o0", "o1", "o2", "o3", "o4"]
    told.unlink()
    (package / "migrations" / "versions" / "5.py").write_text(source(5))
    assert shop.run("migrate").returncode == 0
    assert told.read_text().split() == ["o5"]


def test_a_revision_may_deallocate_what_is_prepared(shop: Shop) -> None:
    """The step that finds its end gone is run again from its beginning, and is applied once."""
    sources = {
        str(number): revision_source(
            f"o{number}",
            f"o{number - 1}" if number else None,
            upgrade=f'{create_table(f"t{number}")}\nop.execute("DEALLOCATE ALL")',
        )
        for number in range(3)
    }
    shop.install("orders", sources)
    finished = shop.run("migrate")
    assert finished.returncode == 0, finished.stderr
    applied = "SELECT revision, outcome FROM corehost.step WHERE branch = 'orders' ORDER BY id"
    assert shop.execute(applied) == [("o0", "applied"), ("o1", "applied"), ("o2", "applied")]


@pytest.fixture(scope="module")
def crowded() -> Iterator[Connection]:
    """A server with a small lock table, and a thousand version tables."""
    settings = {"max_connections": "8", "max_locks_per_transaction": "10", "max_wal_senders": "0"}
    with (
        Cluster(find_bindir(None), settings) as cluster,
        psycopg.connect(cluster.url, autocommit=True) as made,
    ):
        for number in range(MANY):
            made.execute(f"CREATE SCHEMA n{number}")
            made.execute(f"CREATE TABLE n{number}.alembic_version (version_num varchar(32) PRIMARY KEY)")
            made.execute(f"INSERT INTO n{number}.alembic_version VALUES ('r{number}')")
        made.execute("CREATE SCHEMA corehost")
        made.execute("CREATE TABLE corehost.step (open boolean, partial boolean, revision text)")
        yield made


NAMESPACES = [Namespace(schema=f"n{number}", version_table="alembic_version") for number in range(MANY)]


def test_a_thousand_namespaces_fit_into_a_small_lock_table(crowded: Connection) -> None:
    """All are read in one go, where one transaction could not lock them all."""
    whole = " UNION ALL ".join(f"SELECT version_num FROM n{number}.alembic_version" for number in range(MANY))
    with pytest.raises(psycopg.errors.OutOfMemory):
        crowded.execute(whole)  # type: ignore[call-overload]
    found = read_rows(crowded, NAMESPACES)
    assert found is not None
    assert found[NAMESPACES[-1]] == (f"r{MANY - 1}",)
    branches = [
        Branch(
            name=namespace.schema,
            namespace=namespace,
            locations=(),
            script_location=Path(),
            origin=Origin(distribution="d", version="1"),
        )
        for namespace in NAMESPACES
    ]
    state = read_state(crowded, branches)
    assert [state.rows[branch.name] for branch in branches] == [(f"r{number}",) for number in range(MANY)]


def test_a_table_that_is_gone_leaves_no_transaction_behind(crowded: Connection) -> None:
    """In the middle of many; the connection is as it was."""
    gone = Namespace(schema="gone", version_table="alembic_version")
    assert read_rows(crowded, [*NAMESPACES[:50], gone, *NAMESPACES[50:100]]) is None
    assert crowded.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
