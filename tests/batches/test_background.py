"""Steps with ``blocking = False``: run while instances serve, one at a time, whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psycopg
import pytest

from support.packages import create_table, revision_source
from support.processes import wait_until
from support.shop import Shop

FIRST = """\
op.create_table(
    "items", sa.Column("id", sa.Integer, primary_key=True), sa.Column("done", sa.Integer, server_default="0")
)
op.execute("INSERT INTO items SELECT n FROM generate_series(1, 200) AS n")"""
FILL = """\
for batch in corehost.batches("items", size=10):
    while batch.number == 5 and (pathlib.Path(__file__).parent / "closed").exists():
        time.sleep(0.02)
    batch.execute(f"UPDATE items SET done = done + 1 WHERE {batch.condition}")"""
HEAD = "import pathlib\nimport time\nimport corehost"
SERVE = """\
import time
import corehost
host = corehost.Host.from_config()
host.start()
print("serves", flush=True)
time.sleep(600)
"""
UNKNOWN = {"COREHOST_PLUGIN_GROUPS": "none", "COREHOST_ALLOW_EMPTY": "true"}
ADDS = """\
import time
import corehost
host = corehost.Host.from_config()
host.start()
host.add_plugin("data.corehost_plugin")
print("added", flush=True)
time.sleep(600)
"""


@pytest.fixture
def behind(shop: Shop) -> Shop:
    """A host whose plugin has brought a background step, and one behind it, on a database in use."""
    shop.install("data", {"d1": revision_source("d1", upgrade=FIRST)})
    assert shop.run("migrate").returncode == 0
    versions = shop.site / "data" / "migrations" / "versions"
    fill = revision_source("d2", "d1", upgrade=FILL, head=HEAD, blocking=False)
    (versions / "d2.py").write_text(fill)
    (versions / "d3.py").write_text(revision_source("d3", "d2", upgrade=create_table("behind")))
    return shop


def gate(shop: Shop) -> Path:
    """While this file is there, the loop goes no further than forty rows."""
    return shop.site / "data" / "migrations" / "versions" / "closed"


def done(shop: Shop) -> int:
    """How many rows were filled in; none twice."""
    ((most, count),) = shop.execute("SELECT max(done), sum(done) FROM data.items")
    assert most <= 1
    return int(count)


def applied(shop: Shop) -> bool:
    """Whether the step behind the background step is applied."""
    return shop.execute("SELECT version_num FROM data.alembic_version") == [("d3",)]


def test_readiness_does_not_wait_for_it(behind: Shop) -> None:
    """migrate, check and wait end with 0 while it and what needs it are held back; status shows both."""
    document = behind.run("migrate", "--json").json()
    assert (document["ready"], document["applied"]) == (True, [])
    assert behind.run("check").returncode == 0
    assert behind.run("wait", "--timeout", "1s").returncode == 0
    status = behind.run("status", "--json").json()
    (branch,) = (one for one in status["branches"] if one["branch"] == "data")
    assert (branch["state"], branch["pending"], branch["deferred"]) == ("current", [], ["d2", "d3"])
    assert done(behind) == 0


def test_migrate_runs_it_where_that_is_asked_for(behind: Shop) -> None:
    """With --background, behind all others, and then what was held back for it."""
    finished = behind.run("migrate", "--background", "--json")
    assert finished.returncode == 0, finished.stderr
    assert [one["revision"] for one in finished.json()["applied"]] == ["d2", "d3"]
    assert done(behind) == 200
    assert applied(behind)


def test_on_a_fresh_database_it_is_run_like_any_other(shop: Shop) -> None:
    """Nobody is there whom it could keep waiting, and what comes behind it is needed."""
    shop.install(
        "data",
        {
            "d1": revision_source("d1", upgrade=FIRST),
            "d2": revision_source("d2", "d1", upgrade=FILL, head=HEAD, blocking=False),
            "d3": revision_source("d3", "d2", upgrade=create_table("behind")),
        },
    )
    assert shop.run("migrate").returncode == 0
    assert done(shop) == 200
    assert applied(shop)


def test_instances_that_serve_run_it_one_at_a_time_and_survive_each_other(behind: Shop) -> None:
    """Killed in its middle, the one is followed by another; a new one becomes ready meanwhile."""
    gate(behind).touch()
    first = behind.start(program=[sys.executable, "-c", SERVE])
    first.wait_for_output("serves")
    wait_until(lambda: done(behind) == 40)
    second = behind.start(program=[sys.executable, "-c", SERVE])
    second.wait_for_output("serves")
    assert done(behind) == 40
    os.kill(first.pid, signal.SIGKILL)
    gate(behind).unlink()
    wait_until(lambda: applied(behind))
    assert done(behind) == 200
    assert second.running
    with psycopg.connect(behind.database) as connection:
        left = connection.execute("SELECT count(*) FROM corehost.step WHERE open").fetchone()
        runs = connection.execute("SELECT outcome FROM corehost.step WHERE revision = 'd2' ORDER BY id")
        assert runs.fetchall() == [("started",), ("applied",)]
    assert left == (0,)


def test_a_host_runs_those_of_a_plugin_that_is_added(behind: Shop) -> None:
    """Nothing was held back when the host was started."""
    added = behind.start(program=[sys.executable, "-c", ADDS], extra=UNKNOWN)
    added.wait_for_output("added")
    wait_until(lambda: applied(behind))
    assert done(behind) == 200


def test_others_migrate_the_namespace_while_it_runs(behind: Shop) -> None:
    """A step that does not need it is applied meanwhile; the background step ends well all the same."""
    gate(behind).touch()
    server = behind.start(program=[sys.executable, "-c", SERVE])
    server.wait_for_output("serves")
    wait_until(lambda: done(behind) == 40)
    versions = behind.site / "data" / "migrations" / "versions"
    (versions / "e1.py").write_text(revision_source("e1", "d1", upgrade=create_table("beside")))
    finished = behind.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert [one["revision"] for one in finished.json()["applied"]] == ["e1"]
    assert done(behind) == 40
    gate(behind).unlink()
    wait_until(lambda: behind.has_table("data.behind"))
    assert done(behind) == 200
    assert sorted(behind.execute("SELECT version_num FROM data.alembic_version")) == [("d3",), ("e1",)]


def test_one_that_fails_is_told_of_and_the_instance_serves(behind: Shop) -> None:
    """The ledger and status have the error; nothing but the steps behind it waits."""
    file = behind.site / "data" / "migrations" / "versions" / "d2.py"
    file.write_text(file.read_text().replace("done = done + 1", "done = 1 / (id - 25)"))
    finished = behind.run("migrate", "--background", "--json")
    assert finished.returncode == 1
    assert finished.json()["error"]["revision"] == "d2"
    assert behind.run("check").returncode == 0
    assert behind.run("migrate").returncode == 0


def test_the_parent_of_a_command_runs_it(behind: Shop) -> None:
    """Beside a command that need know nothing of corehost; its end ends both."""
    parent = behind.start("run", "--health-port", "0", "--health-address", "127.0.0.1", "--", "sleep", "600")
    wait_until(lambda: applied(behind))
    assert done(behind) == 200
    assert parent.running
