"""A step that commits in its middle and is killed there: in doubt, until somebody settles it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from support.packages import create_table, revision_source, spec
from support.processes import Processes, wait_until

from .conftest import write_own

HALF = """\
op.execute("CREATE TABLE half (id int)")
with op.get_context().autocommit_block():
    op.execute("SELECT pg_sleep(60)")"""
ASLEEP = """
SELECT pid FROM pg_stat_activity
WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()"""


@pytest.fixture
def crashed(database: str, site: Path, processes: Processes) -> str:
    """A database in which billing's second revision was killed after a part of it was committed."""
    revisions = {
        "1": revision_source("b1", None, upgrade=create_table("invoices")),
        "2": revision_source("b2", "b1", upgrade=HALF),
    }
    write_own(site, "billing", spec_source=spec("billing"), revisions=revisions)
    process = processes.corehost("migrate", database=database, path=[site])
    with psycopg.connect(database, autocommit=True) as connection:
        wait_until(lambda: connection.execute(ASLEEP).fetchone())
        process.kill()
        wait_until(lambda: connection.execute(ASLEEP).fetchone() is None)
    other = {"1": revision_source("n1", None, upgrade=create_table("notes"))}
    write_own(site, "notes", spec_source=spec("notes"), revisions=other)
    return database


def test_nobody_runs_it_again_and_others_go_on(crashed: str, site: Path, processes: Processes) -> None:
    """migrate ends with 5 and names the revision; another plugin's revision is applied meanwhile."""
    ended = processes.run("migrate", "--json", database=crashed, path=[site])
    document = ended.json()
    assert ended.returncode == 5
    assert [step["revision"] for step in document["applied"]] == ["n1"]
    assert document["error"]["branch"] == "billing"
    assert "b2" in document["error"]["message"]


def test_status_and_check_say_so(crashed: str, site: Path, processes: Processes) -> None:
    """The branch's state is in_doubt, the whole is not ready, check and wait end with 5."""
    document = processes.run("status", "--json", database=crashed, path=[site]).json()
    states = {branch["branch"]: branch["state"] for branch in document["branches"]}
    assert states["billing"] == "in_doubt"
    assert document["ready"] is False
    assert processes.run("check", database=crashed, path=[site]).returncode == 5
    assert processes.run("wait", "--timeout", "1min", database=crashed, path=[site]).returncode == 5


def test_what_is_said_to_be_applied_is_not_run_again(crashed: str, site: Path, processes: Processes) -> None:
    """After resolve --applied the version row is there, and a pass goes on behind it."""
    settled = processes.run("resolve", "billing", "b2", "--applied", database=crashed, path=[site])
    assert settled.returncode == 0, settled.stderr
    assert processes.run("migrate", database=crashed, path=[site]).returncode == 0
    with psycopg.connect(crashed) as connection:
        rows = connection.execute("SELECT version_num FROM billing.alembic_version").fetchall()
        outcomes = connection.execute("SELECT outcome FROM corehost.step WHERE revision = 'b2'").fetchall()
    assert (rows, outcomes) == ([("b2",)], [("applied",)])


def test_what_is_said_to_be_rolled_back_is_run_again(crashed: str, site: Path, processes: Processes) -> None:
    """After resolve --rolled-back the next pass runs the revision once more."""
    with psycopg.connect(crashed, autocommit=True) as connection:
        connection.execute("DROP TABLE billing.half")
    settled = processes.run("resolve", "billing", "b2", "--rolled-back", database=crashed, path=[site])
    assert settled.returncode == 0, settled.stderr
    file = site / "billing" / "migrations" / "versions" / "2.py"
    file.write_text(file.read_text().replace("pg_sleep(60)", "pg_sleep(0)"))
    ended = processes.run("migrate", "--json", database=crashed, path=[site])
    assert ended.returncode == 0, ended.stderr
    assert "b2" in [step["revision"] for step in ended.json()["applied"]]


def test_what_is_not_in_doubt_cannot_be_settled(crashed: str, site: Path, processes: Processes) -> None:
    """resolve refuses a revision that ended well, and one that there is not, with exit 2."""
    for revision in ("b1", "b9"):
        ended = processes.run("resolve", "billing", revision, "--applied", database=crashed, path=[site])
        assert ended.returncode == 2
        assert revision in ended.stderr


def test_unlock_ends_who_holds_the_lock(database: str, site: Path, processes: Processes) -> None:
    """unlock --yes names the holder and ends its session; the holder's step is taken up again."""
    slow = 'op.execute("SELECT pg_sleep(60)")'
    write_own(
        site, "slow", spec_source=spec("slow"), revisions={"1": revision_source("s1", None, upgrade=slow)}
    )
    process = processes.corehost("migrate", database=database, path=[site])
    with psycopg.connect(database, autocommit=True) as connection:
        (pid,) = wait_until(lambda: connection.execute(ASLEEP).fetchone())
        ended = processes.run("unlock", "slow", "--yes", "--json", database=database, path=[site])
        document = ended.json()
        assert (document["terminated"], document["lock"]["pid"]) == (True, pid)
        again = wait_until(lambda: connection.execute(ASLEEP).fetchone())
    assert again != (pid,)
    process.kill()
