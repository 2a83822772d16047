"""Code on a database that newer code has migrated: which goes on, and what is told to the other."""

from __future__ import annotations

import pytest

from support.packages import revision_source
from support.releases import CONTRACT, V1, V2, V3, Deploy

BATCHES = """\
for batch in corehost.batches("orders", size=5):
    if batch.execute(f"SELECT FROM orders WHERE note = 'bad' AND {batch.condition}").first() is not None:
        raise RuntimeError
    batch.execute(f"DELETE FROM orders WHERE {batch.condition}")"""
COMMANDS = (["check"], ["wait", "--timeout", "10s"], ["migrate"])


def test_older_code_goes_on_after_expand_steps(deploy: Deploy) -> None:
    """Rolled back, or not yet replaced: every command says ready; nothing has to be undone."""
    old, new = deploy("1.0", V1), deploy("2.0", V2)
    assert new.run("migrate").returncode == 0
    for command in COMMANDS:
        finished = old.run(*command)
        assert finished.returncode == 0, (command, finished.stderr)
    assert "the database has o2, newer than this code" in old.run("migrate").stderr
    document = old.run("status", "--json").json()
    (orders,) = (one for one in document["branches"] if one["branch"] == "orders")
    assert (document["ready"], orders["state"], orders["pending"]) == (True, "ahead", [])


@pytest.mark.parametrize("phase", ["contract", None])
def test_older_code_is_refused_after_a_contract_step(deploy: Deploy, phase: str | None) -> None:
    """Marked or not: before any traffic, with the revision, and the version that it needs."""
    dropping = {"o3": revision_source("o3", "o1", upgrade=CONTRACT, phase=phase)}
    old, new = deploy("1.0", V1), deploy("3.1", V1 | dropping)
    assert new.run("migrate").returncode == 0
    for command in COMMANDS:
        finished = old.run(*command, "--json")
        error = finished.json()["error"]
        assert (finished.returncode, error["branch"], error["revision"]) == (5, "orders", "o3"), command
        assert "the database has o3 of orders 3.1, a contract step" in error["message"]
        assert error["hint"] == "deploy orders 3.1 or newer"
    assert new.run("check").returncode == 0


def test_older_code_is_refused_after_a_part_of_a_contract_step(deploy: Deploy) -> None:
    """Batches of it are committed when it is cut short, long before its version row; a try is no part."""
    fails = revision_source("o2", "o1", upgrade=BATCHES, head="import corehost", phase="contract")
    old, new = deploy("1.0", V1), deploy("2.0", V1 | {"o2": fails})
    assert old.run("migrate").returncode == 0
    rows = "SELECT n, CASE n WHEN 1 THEN 'bad' END FROM generate_series(1, 10) AS n"
    old.execute(f"INSERT INTO orders.orders {rows}")
    assert new.run("migrate", "--contract").returncode == 1
    assert old.run("check").returncode == 0
    old.execute("UPDATE orders.orders SET note = CASE id WHEN 7 THEN 'bad' END")
    assert new.run("migrate", "--contract").returncode == 1
    for command in COMMANDS:
        finished = old.run(*command)
        assert finished.returncode == 5, (command, finished.stderr)
        assert "a part of o2, a contract step, is done" in finished.stderr
    old.execute("UPDATE orders.orders SET note = NULL")
    assert new.run("migrate", "--contract").returncode == 0
    assert new.run("check").returncode == 0


def test_older_code_that_serves_is_refused_by_a_host_too(deploy: Deploy) -> None:
    """A gate's host fails for good, and says why."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert new.run("migrate").returncode == 0
    finished = old.python(
        """
        import corehost
        host = corehost.Host.from_config()
        try:
            host.start()
        except corehost.MigrationError as error:
            print(error.exit_code, host.readiness().state, host.readiness().message)
        """
    )
    assert finished.stdout == (
        "5 failed the database has o3 of orders 3.0, a contract step: older code cannot go on\n"
    )


def test_two_lines_that_part_ways_have_diverged(deploy: Deploy) -> None:
    """A hotfix beside the next release, neither of which knows the other: both revisions are named."""
    hotfix = deploy("1.1", V1 | {"h": revision_source("h", "o1")})
    new = deploy("2.0", V2)
    assert new.run("migrate").returncode == 0
    finished = hotfix.run("migrate", "--json")
    assert finished.returncode == 5
    assert "this code has h, which is not applied, and the database has o2 of orders 2.0" in finished.stderr


def test_a_merge_of_both_lines_goes_on(deploy: Deploy) -> None:
    """The version that has both applies what is missing; then the hotfix fits as well."""
    lines = {"h": revision_source("h", "o1")}
    hotfix, new = deploy("1.1", V1 | lines), deploy("2.0", V2)
    both = deploy("2.1", V2 | lines | {"m": revision_source("m", ("h", "o2"))})
    for one in (new, both):
        assert one.run("migrate").returncode == 0
    assert hotfix.run("check").returncode == 0


def test_older_code_finishes_what_newer_code_knew_and_left_pending(deploy: Deploy) -> None:
    """On a line of its own, beside rows that the older code does not know: they stay as they are."""
    line = {"x1": revision_source("x1"), "x2": revision_source("x2", "x1")}
    old, new = deploy("1.0", V1 | line), deploy("2.0", V2 | line)
    first = deploy("0.9", V1 | {"x1": line["x1"]})
    assert first.run("migrate").returncode == 0
    fails = {"x2": revision_source("x2", "x1", upgrade="raise RuntimeError")}
    broken = deploy("1.9", V2 | line | fails, name="orders")
    assert broken.run("migrate").returncode == 1
    assert broken.execute("SELECT version_num FROM orders.alembic_version ORDER BY 1") == [("o2",), ("x1",)]
    assert old.run("migrate").returncode == 0
    assert old.execute("SELECT version_num FROM orders.alembic_version ORDER BY 1") == [("o2",), ("x2",)]
    assert new.run("check").returncode == 0


def test_a_host_may_refuse_every_database_that_is_ahead(deploy: Deploy) -> None:
    """However compatible."""
    old, new = deploy("1.0", V1), deploy("2.0", V2)
    assert new.run("migrate").returncode == 0
    for command in COMMANDS:
        finished = old.run(*command, extra={"COREHOST_ON_DATABASE_AHEAD": "refuse"})
        assert finished.returncode == 5, (command, finished.stderr)
        assert 'or set on_database_ahead = "allow"' in finished.stderr


def test_a_database_stamped_by_newer_code_is_judged_like_a_migrated_one(deploy: Deploy) -> None:
    """What a stamp says is applied has a source too."""
    old, new = deploy("1.0", V1), deploy("2.0", V2)
    assert old.run("migrate").returncode == 0
    assert new.run("stamp", "orders", "heads").returncode == 0
    assert old.run("check").returncode == 0


def test_a_ledger_of_an_older_corehost_is_understood(deploy: Deploy) -> None:
    """Its lineage is read, but nobody had written whether what lies between drops anything."""
    old, new = deploy("1.0", V1), deploy("2.0", V2)
    assert new.run("migrate").returncode == 0
    for statement in (
        "DROP TABLE corehost.revision, corehost.release, corehost.release_branch",
        "DROP TABLE corehost.instance, corehost.batch",
        "ALTER TABLE corehost.step DROP COLUMN destructive, DROP COLUMN release",
        "UPDATE corehost.alembic_version SET version_num = '0001'",
    ):
        new.execute(statement)
    assert new.run("status").returncode == 0
    refused = old.run("migrate", "--branch", "orders", "--json")
    assert (refused.returncode, refused.json()["error"]["revision"]) == (5, "o2")
    assert new.run("migrate").returncode == 0
