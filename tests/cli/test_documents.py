"""The JSON documents: their keys, their order, and that they are all that is on standard output."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.ledger import REVISIONS
from support.packages import create_table, revision_source
from support.shop import UNREACHABLE, Shop

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ERROR = {"code", "message", "branch", "revision", "distribution", "version", "file", "hint"}
DOCUMENTS = {
    "migrate": {"applied", "deferred", "waited_ms", "ready", "left_out"},
    "plan": {"steps", "deferred", "config_file"},
    "status": {"ready", "config_file", "branches", "instances", "skipped"},
    "check": {"ready", "pending"},
    "wait": {"ready", "waited_ms"},
    "plugins": {"plugins", "config_file"},
    "graph": {"branches", "revisions", "edges"},
    "history": {"history"},
    "lint": {"findings", "ignored", "not_rendered", "checked", "squawk"},
}


@pytest.mark.parametrize("command", DOCUMENTS)
def test_document_of_every_command(shop: Shop, command: str) -> None:
    """Every command writes one document with its keys and the version of the format."""
    shop.install("orders")
    shop.run("migrate")
    finished = shop.run(command, "--json")
    assert finished.returncode == 0, finished.stderr
    assert finished.json().keys() == DOCUMENTS[command] | {"format_version"}
    assert finished.json()["format_version"] == "1.0"


@pytest.mark.parametrize("command", DOCUMENTS)
def test_document_of_every_command_that_fails(shop: Shop, command: str) -> None:
    """A failure gives the same document with an error that has all of its keys."""
    finished = shop.run(command, "--json", "--config", "nowhere.toml")
    assert finished.returncode == 2
    assert finished.json().keys() == DOCUMENTS[command] | {"format_version", "error"}
    assert finished.json()["error"].keys() == ERROR
    assert finished.json()["error"]["code"] == "configuration"


@pytest.mark.parametrize("command", DOCUMENTS)
def test_document_of_a_usage_error(shop: Shop, command: str) -> None:
    """A wrong option is told as a document too, where one was asked for."""
    finished = shop.run(command, "--json", "--nonsense")
    assert finished.returncode == 2
    assert finished.json().keys() == DOCUMENTS[command] | {"format_version", "error"}
    assert finished.json()["error"]["code"] == "usage"


def test_plan(shop: Shop) -> None:
    """The plan has the steps in order of application, the ledger's own first."""
    first = revision_source("o1", upgrade=create_table("orders"), message="Make orders")
    second = revision_source("o2", "o1", upgrade='op.drop_table("orders")', phase="contract")
    shop.install("orders", {"o1": first, "o2": second})
    shop.install("bills", {"b1": revision_source("b1", depends_on="orders@o1")})
    steps = shop.run("plan", "--json").json()["steps"]
    assert (steps[0]["branch"], steps[0]["revision"]) == ("corehost", REVISIONS[0])
    assert {step["branch"] for step in steps} == {"corehost", "orders", "bills"}
    (dropping,) = (step for step in steps if step["revision"] == "o2")
    assert dropping == {
        "branch": "orders",
        "schema": "orders",
        "revision": "o2",
        "down_revision": ["o1"],
        "depends_on": [],
        "message": "o2",
        "phase": "contract",
        "transactional": True,
        "destructive": True,
    }
    (billing,) = (step for step in steps if step["branch"] == "bills")
    assert billing["depends_on"] == ["orders@o1"]


def test_status_of_a_current_branch(shop: Shop) -> None:
    """A branch has exactly these keys; the ledger is one of the branches, all sorted by name."""
    shop.install("orders")
    shop.install("bills")
    shop.run("migrate")
    document = shop.run("status", "--json").json()
    assert document["ready"] is True
    assert [branch["branch"] for branch in document["branches"]] == ["bills", "corehost", "orders"]
    assert document["branches"][2] == {
        "branch": "orders",
        "schema": "orders",
        "distribution": "orders",
        "version": "1.0",
        "state": "current",
        "applied": ["orders1"],
        "heads": ["orders1"],
        "pending": [],
        "deferred": [],
        "lock": None,
        "left_out": False,
        "progress": None,
    }


def test_status_of_a_lock(shop: Shop) -> None:
    """Who holds a branch's lock is told; since when only of a holder that is corehost."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True, application_name="somebody") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        branches = shop.run("status", "--json").json()["branches"]
        pid = connection.info.backend_pid
    assert branches[1]["lock"] == {"pid": pid, "application_name": "somebody", "since": None}


def test_status_tells_since_when_corehost_holds_a_lock(shop: Shop) -> None:
    """The time at which a pass took a lock is RFC 3339 in UTC."""
    shop.install("orders", {"o1": revision_source("o1", upgrade='op.execute("SELECT pg_sleep(60)")')})
    migrating = shop.start("migrate")
    migrating.wait_for_output("orders@o1 started")
    branch = shop.run("status", "--json").json()["branches"][1]
    assert branch["state"] == "migrating"
    assert branch["lock"]["application_name"].startswith("corehost ")
    assert RFC_3339.fullmatch(branch["lock"]["since"])


def test_status_of_skipped_plugins(shop: Shop) -> None:
    """With on_plugin_error = skip, status says which plugin was left out, and why."""
    shop.install("orders")
    shop.install("broken", spec_source="None")
    document = shop.run("status", "--json", extra={"COREHOST_ON_PLUGIN_ERROR": "skip"}).json()
    assert [branch["branch"] for branch in document["branches"]] == ["corehost", "orders"]
    (skipped,) = document["skipped"]
    assert skipped.keys() == {"plugin", "distribution", "version", "reason"}
    assert (skipped["plugin"], skipped["distribution"], skipped["version"]) == ("broken", "broken", "1.0")


def test_status_names_the_file(shop: Shop) -> None:
    """The configuration file that was used is in the document, of a failure too."""
    file = shop.folder / "corehost.toml"
    file.write_text("wait_timeout = '5s'\n")
    shop.install("orders")
    assert shop.run("status", "--json").json()["config_file"] == str(file)
    assert shop.run("status", "--json", database=UNREACHABLE).json()["config_file"] == str(file)
    assert shop.run("plan", "--json").json()["config_file"] == str(file)


def test_migrate(shop: Shop) -> None:
    """Migrate reports what this process applied, in order, with the time of each."""
    shop.install("orders")
    document = shop.run("migrate", "--json").json()
    assert [(one["branch"], one["revision"]) for one in document["applied"]] == [
        *(("corehost", revision) for revision in REVISIONS),
        ("orders", "orders1"),
    ]
    assert all(one.keys() == {"branch", "revision", "duration_ms"} for one in document["applied"])
    assert document["ready"] is True
    assert shop.run("migrate", "--json").json()["applied"] == []


def test_migrate_that_fails(shop: Shop) -> None:
    """On failure the document has what was applied before, and the error with file and line."""
    failing = revision_source("o2", "o1", upgrade='op.execute("SELECT 1/0")')
    shop.install("orders", {"o1": revision_source("o1"), "o2": failing})
    finished = shop.run("migrate", "--json")
    assert finished.returncode == 1
    document = finished.json()
    assert [one["revision"] for one in document["applied"]] == [*REVISIONS, "o1"]
    assert document["ready"] is False
    error = document["error"]
    assert (error["code"], error["branch"], error["revision"]) == ("step_failed", "orders", "o2")
    assert (error["distribution"], error["version"]) == ("orders", "1.0")
    assert re.search(r"o2\.py:\d+$", error["file"])


def test_migrate_plan_only(shop: Shop) -> None:
    """--plan-only changes nothing and adds the steps to the document."""
    shop.install("orders")
    document = shop.run("migrate", "--plan-only", "--json").json()
    assert [step["revision"] for step in document["steps"]] == [*REVISIONS, "orders1"]
    assert (document["applied"], document["ready"]) == ([], False)
    assert not shop.has_table("corehost.step")


def test_check(shop: Shop) -> None:
    """Check names what is pending by branch."""
    shop.install("orders")
    finished = shop.run("check", "--json")
    assert finished.returncode == 3
    assert finished.json() == {
        "format_version": "1.0",
        "ready": False,
        "pending": {"corehost": list(REVISIONS), "orders": ["orders1"]},
    }


def test_history(shop: Shop) -> None:
    """History has every attempt, oldest first, with times in UTC; --branch and --limit narrow it."""
    shop.install("orders")
    shop.run("migrate")
    history = shop.run("history", "--json").json()["history"]
    assert [entry["revision"] for entry in history] == [*REVISIONS, "orders1"]
    assert {"schema", "revision", "outcome", "distribution", "version", "host", "pid"} <= history[-1].keys()
    for entry in history:
        assert RFC_3339.fullmatch(entry["started_at"])
        assert RFC_3339.fullmatch(entry["finished_at"])
        assert datetime.fromisoformat(entry["started_at"]).utcoffset() == timedelta(0)
    assert shop.run("history", "--json", "--limit", "1").json()["history"] == history[-1:]
    assert shop.run("history", "--json", "--branch", "corehost").json()["history"] == history[:-1]


def test_history_without_a_ledger(shop: Shop) -> None:
    """A database that corehost has not migrated has an empty history."""
    finished = shop.run("history", "--json")
    assert (finished.returncode, finished.json()["history"]) == (0, [])


def test_history_of_failures(shop: Shop) -> None:
    """A failed attempt stays in the history with its error."""
    shop.install("orders", {"o1": revision_source("o1", upgrade='op.execute("SELECT 1/0")')})
    shop.run("migrate")
    entry = shop.run("history", "--json").json()["history"][-1]
    assert entry["outcome"] == "failed"
    assert "division by zero" in entry["error"]


def test_plugins(shop: Shop) -> None:
    """Plugins tells what was found, from which distribution, and what is wrong with it."""
    shop.install("orders", requires=("bills",))
    shop.install("bills")
    shop.install("broken", spec_source="None")
    finished = shop.run("plugins", "--json")
    assert finished.returncode == 2
    broken, bills, orders = sorted(finished.json()["plugins"], key=lambda row: row["state"], reverse=True)[:3]
    assert broken["state"] == "wrong"
    assert "not a PluginSpec" in broken["problems"][0]
    assert (bills["state"], orders["state"]) == ("enabled", "enabled")
    assert orders == {
        "name": "orders",
        "kind": "plugin",
        "distribution": "orders",
        "version": "1.0",
        "entry_point": "tests.plugins: orders = orders.corehost_plugin",
        "schema": "orders",
        "requires": ["bills"],
        "after": [],
        "state": "enabled",
        "problems": [],
    }


def test_nothing_but_the_document(shop: Shop) -> None:
    """What revisions, and programs that they run, print goes to standard error."""
    printing = 'import subprocess\nprint("from python")\nsubprocess.run(["echo", "from echo"], check=True)'
    shop.install("orders", {"o1": revision_source("o1", upgrade=printing)})
    finished = shop.run("migrate", "--json")
    assert json.loads(finished.stdout)["ready"] is True
    assert "from python" in finished.stderr
    assert "from echo" in finished.stderr
