"""Behind a real pgbouncer: a transaction pooler is refused untouched, a session pooler serves."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from support.forked import Instance
from support.ledger import STEPS
from support.pooler import PROGRAM, Pooler
from support.processes import Processes

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


def schemas(url: str) -> list[str]:
    """The schemas that were made in a database."""
    statement = r"SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$|^public$'"
    with psycopg.connect(url) as connection:
        return sorted(row[0] for row in connection.execute(statement))


def test_a_transaction_pooler_is_refused_before_anything_is_touched(
    database: str, plugins: Path, processes: Processes
) -> None:
    """Exit 2, the hint names migration_url, and not even a schema was made."""
    with Pooler(database, "transaction") as pooler:
        ended = processes.run("migrate", database=pooler.url, path=[plugins])
    assert ended.returncode == 2, ended.stderr
    assert "migration_url" in ended.stderr
    assert schemas(database) == []


def test_a_transaction_pooler_under_load_is_refused(database: str, plugins: Path) -> None:
    """With other clients in transactions of their own, and few backends, it is noticed all the same."""
    with Pooler(database, "transaction", size=4) as pooler:
        over = threading.Event()

        def load() -> None:
            with psycopg.connect(pooler.url, prepare_threshold=None) as connection:
                while not over.is_set():
                    connection.execute("SELECT pg_sleep(0.001)")
                    connection.commit()

        others = [threading.Thread(target=load) for _ in range(8)]
        for other in others:
            other.start()
        try:
            codes = []
            for _ in range(5):
                instance = Instance(pooler.url, path=plugins)
                codes.append(instance.wait())
                instance.close()
        finally:
            over.set()
            for other in others:
                other.join()
    assert codes == [2] * 5
    assert schemas(database) == []


def test_a_direct_migration_url_goes_around_the_pooler(
    database: str, plugins: Path, processes: Processes
) -> None:
    """With database_url through the pooler and migration_url direct, the pass works."""
    with Pooler(database, "transaction") as pooler:
        direct = {"COREHOST_MIGRATION_URL": database}
        ended = processes.run("migrate", database=pooler.url, path=[plugins], extra=direct)
    assert ended.returncode == 0, ended.stderr


def test_a_session_pooler_serves_a_fleet(database: str, plugins: Path) -> None:
    """Through a session pooler four instances at once end ready, each revision applied once."""
    with Pooler(database, "session", size=20) as pooler:
        fleet = [Instance(pooler.url, path=plugins) for _ in range(4)]
        assert [instance.wait() for instance in fleet] == [0] * 4
        applied = sorted(node for instance in fleet for node in instance.outcome()["applied"])
        for instance in fleet:
            instance.close()
    expected = ["accounts@a1", "accounts@a2", "billing@b1", "billing@b2", *STEPS, "search@s1"]
    assert applied == expected


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_commands_that_only_read_work_through_either(
    mode: str, database: str, plugins: Path, processes: Processes
) -> None:
    """status, check, plan, wait and history are no different behind a pooler."""
    with Pooler(database, mode) as pooler:  # type: ignore[arg-type]
        options = {"database": pooler.url, "path": [plugins]}
        assert processes.run("check", **options).returncode == 3
        assert len(processes.run("plan", "--json", **options).json()["steps"]) == 5 + len(STEPS)
        direct = {"COREHOST_MIGRATION_URL": database}
        assert processes.run("migrate", extra=direct, **options).returncode == 0
        assert processes.run("check", **options).returncode == 0
        assert processes.run("wait", "--timeout", "5s", **options).returncode == 0
        assert processes.run("status", "--json", **options).json()["ready"] is True
        assert len(processes.run("history", "--json", **options).json()["history"]) == 5 + len(STEPS)
