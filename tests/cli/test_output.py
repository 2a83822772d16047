"""What people see: tables, progress, logs, and drawings of the graph."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psycopg
import pytest

from corehost.core.namespace import lock_key
from support.ledger import STEPS
from support.packages import create_table, revision_source
from support.shop import Shop

FORMATS = ("text", "json", "mermaid", "dot", "svg")


def test_progress_is_lines_on_standard_error(shop: Shop) -> None:
    """Without a terminal each step's start and end is a line; standard output has the summary only."""
    shop.install(
        "orders", {"o1": revision_source("o1", upgrade=create_table("orders"), message="Make orders")}
    )
    finished = shop.run("migrate")
    lines = finished.stderr.splitlines()
    assert lines[-2] == "corehost: orders@o1 started: Make orders"
    assert lines[-1].startswith("corehost: orders@o1 applied in ")
    assert finished.stdout.startswith(f"applied {len(STEPS) + 1} revisions in ")
    assert finished.stdout.endswith(f": {', '.join(STEPS)}, orders@o1\n")


def test_waiting_is_told_once(shop: Shop) -> None:
    """While nothing changes, who is waited for is one line, however often a look is taken."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True, application_name="somebody") as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        finished = shop.run("migrate", extra={"COREHOST_WAIT_TIMEOUT": "2s"})
    told = [line for line in finished.stderr.splitlines() if line.startswith("corehost: waiting for")]
    assert len(told) == 1
    assert "(somebody)" in told[0]


@pytest.mark.parametrize("command", ["migrate", "check", "wait"])
def test_quiet(shop: Shop, command: str) -> None:
    """With -q a command that has nothing to complain of says nothing."""
    shop.install("orders")
    if command != "migrate":
        shop.run("migrate")
    finished = shop.run(command, "-q")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_verbose(shop: Shop) -> None:
    """With -v the log says which file the settings are from; otherwise it does not."""
    (shop.folder / "corehost.toml").write_text("")
    shop.install("orders")
    assert "settings are read from" in shop.run("check", "-v").stderr
    assert shop.run("check").stderr == ""


def test_plan_marks_steps(shop: Shop) -> None:
    """A line of the plan says whether its step is not transactional or destructive."""
    autocommit = "with op.get_context().autocommit_block():\n    op.execute('VACUUM')"
    revisions = {
        "o1": revision_source("o1", upgrade=create_table("orders")),
        "o2": revision_source("o2", "o1", upgrade='op.drop_table("orders")'),
        "o3": revision_source("o3", "o2", upgrade=autocommit),
    }
    shop.install("orders", revisions)
    plain, dropping, vacuum = shop.run("plan").stdout.splitlines()[-3:]
    assert "[" not in plain
    assert dropping.endswith("[destructive]")
    assert vacuum.endswith("[not transactional]")


def test_status_says_why(shop: Shop) -> None:
    """The table of status has a line for each branch, and below it the reason for what is wrong."""
    shop.install("orders", {"o1": revision_source("o1", upgrade='op.execute("SELECT 1/0")')})
    shop.run("migrate")
    text = shop.run("status").stdout
    (row,) = (line for line in text.splitlines() if line.startswith("orders "))
    assert row.split() == ["orders", "orders", "orders", "1.0", "failed", "1"]
    assert "orders: revision o1 failed: DivisionByZero: division by zero" in text
    assert "\nnot ready\n" in text


def test_watch_writes_what_has_changed(shop: Shop) -> None:
    """Status --watch shows a change of the database, and where it is not a terminal nothing but changes."""
    shop.install("orders")
    watching = shop.start("status", "--watch")
    watching.wait_for_output("\nnot ready\n")
    shop.run("migrate")
    watching.wait_for_output("\nready\n")
    assert "\x1b" not in watching.stdout
    assert watching.stdout.endswith("\nready\n")


def test_tables_are_not_folded(shop: Shop) -> None:
    """In a pipe a table is as wide as it needs to be."""
    name = "a_plugin_with_quite_a_long_name"
    shop.install(name, {"o1": revision_source("o1", upgrade=f'raise RuntimeError("{"long " * 60}")')})
    shop.run("migrate")
    (line,) = (line for line in shop.run("history").stdout.splitlines() if name in line)
    assert "long " * 59 in line


def closed_pipe(shop: Shop, *arguments: str) -> tuple[int, str]:
    """A command whose standard output nobody reads any more: its exit code and standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = ["bash", "-c", f'exec "$@" >&{writing}', "bash", sys.executable, "-m", "corehost"]
        finished = shop.run(*arguments, program=list(command), pass_fds=(writing,))
    finally:
        os.close(writing)
    return finished.returncode, finished.stderr


def test_closed_pipe(shop: Shop) -> None:
    """A reader that has gone away changes neither the exit code nor standard error."""
    shop.install("orders")
    assert closed_pipe(shop, "check") == (3, "")
    assert closed_pipe(shop, "status", "--json") == (0, "")
    assert closed_pipe(shop, "graph") == (0, "")


def test_no_standard_output(shop: Shop) -> None:
    """Without any standard output a command still does its work."""
    shop.install("orders")
    command: list[str | Path] = ["bash", "-c", 'exec "$@" >&-', "bash", sys.executable, "-m", "corehost"]
    assert shop.run("migrate", "--json", program=command).returncode == 0
    assert shop.has_table("orders.orders")


@pytest.mark.parametrize("form", FORMATS)
def test_graph_is_the_same_each_time(shop: Shop, form: str) -> None:
    """Whatever the hash seed is, the graph is drawn the same."""
    shop.install("orders", {n: revision_source(n, branch_labels=n) for n in ("o1", "o2", "o3")})
    shop.install("bills", {"b1": revision_source("b1", depends_on=("orders@o1", "orders@o3", "orders@head"))})
    drawn = {
        shop.run("graph", "--format", form, database=None, extra={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2", "3")
    }
    assert len(drawn) == 1
    assert drawn != {""}


def test_graph_as_text(shop: Shop) -> None:
    """Each branch has its revisions below it; what a revision needs beside the line above is named."""
    shop.install("orders", {"o1": revision_source("o1"), "o2": revision_source("o2", "o1")})
    shop.install("bills", {"b1": revision_source("b1", depends_on="orders@o1", message="Make bills")})
    lines = shop.run("graph").stdout.splitlines()[1 + len(STEPS) :]
    assert lines == [
        "orders",
        "  o1  o1",
        "  o2  o2",
        "bills",
        "  b1  Make bills  <- orders@o1",
    ] or lines == ["bills", "  b1  Make bills  <- orders@o1", "orders", "  o1  o1", "  o2  o2"]


def test_graph_as_json(shop: Shop) -> None:
    """--format json and --json are the same document, with an edge for every need."""
    shop.install("orders", {"o1": revision_source("o1"), "o2": revision_source("o2", "o1")})
    shop.install("bills", {"b1": revision_source("b1", depends_on="orders@o2")}, requires=("orders",))
    finished = shop.run("graph", "--format", "json")
    assert finished.stdout == shop.run("graph", "--json").stdout
    document = json.loads(finished.stdout)
    assert {"revision": "orders@o2", "needs": "orders@o1", "kind": "down_revision"} in document["edges"]
    assert {"revision": "bills@b1", "needs": "orders@o2", "kind": "depends_on"} in document["edges"]
    (bills,) = (branch for branch in document["branches"] if branch["branch"] == "bills")
    assert bills["after"] == ["corehost", "orders"]


def test_graph_languages_escape(shop: Shop) -> None:
    """Quotes and brackets in a message break neither Mermaid's nor Graphviz' syntax."""
    message = 'Say "no" to #1 <b>\\'
    shop.install("end", {"e1": revision_source("e1", message=message.replace("\\", "\\\\"))})
    mermaid = shop.run("graph", "--format", "mermaid").stdout
    assert "Say #34;no#34; to #35;1 #60;b#62;\\" in mermaid
    assert '  subgraph b1["end"]\n' in mermaid
    assert r'[label="e1\nSay \"no\" to #1 <b>\\"];' in shop.run("graph", "--format", "dot").stdout
