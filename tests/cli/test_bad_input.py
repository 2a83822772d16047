"""Whatever is wrong with what a command is given ends in a message and an exit code, never in a traceback."""

from __future__ import annotations

import os

import pytest

from support.packages import create_table, revision_source, spec
from support.processes import Finished
from support.shop import UNREACHABLE, Shop

BAD_ARGUMENTS = {
    "unknown command": ["statsu"],
    "no command": [],
    "unknown option": ["status", "--nonsense"],
    "unexpected argument": ["check", "orders"],
    "-v with -q": ["check", "-v", "-q"],
    "--watch with --json": ["status", "--watch", "--json"],
    "--json with another format": ["graph", "--json", "--format", "dot"],
    "unknown format": ["graph", "--format", "png"],
    "timeout without a unit": ["wait", "--timeout", "10"],
    "limit that is no number": ["history", "--limit", "all"],
    "limit below one": ["history", "--limit", "0"],
    "unknown branch": ["migrate", "--branch", "orderz"],
    "unknown branch of a plan": ["migrate", "--plan-only", "--branch", "orderz"],
    "another database's URL": ["status", "--database-url", "mysql://user:s3cret@server/db"],
    "URL without slashes": ["status", "--database-url", "postgresql:/user:s3cret@server/db"],
    "URL with a wrong port": ["status", "--database-url", "postgresql://user:s3cret@server:port/db"],
    "URL with an unknown option": [
        "status",
        "--database-url",
        "postgresql://user:s3cret@server/db?colour=red",
    ],
    "connection string": ["status", "--database-url", "password=s3cret colour=red"],
    "configuration that is not there": ["check", "--config", "nowhere.toml"],
    "configuration that is a folder": ["check", "--config", "."],
}
BAD_FILES = {
    "not TOML": "wait_timeout = ",
    "not UTF-8": "# \udcff",
    "unknown key": "wait_timeot = '5s'",
    "wrong type": "disabled = 'orders'",
    "duration without a unit": "wait_timeout = 10",
    "mount that does not exist": "[mounts.x]\nmigrations = 'nowhere:migrations'",
    "hooks that do not import": "hooks = ['nowhere']",
    "core that does not exist": "core = 'nowhere:migrations'",
    "edge to nowhere": "extra_edges = [['orders@orders1', 'orders@nowhere']]",
}
BAD_PLUGINS = {
    "module that raises": {"spec_source": "1 / 0"},
    "module that exits": {"spec_source": "exit(3)"},
    "no spec": {"spec_source": "None"},
    "another name": {"spec_source": spec("other")},
    "requirement that is not installed": {"requires": ("nowhere",)},
    "reserved schema": {"spec_source": "PluginSpec(name='bad', schema='pg_bad')"},
    "migrations that are not there": {"spec_source": spec("bad", migrations="bad:nowhere"), "revisions": {}},
    "syntax error in a header": {"revisions": {"b1": "revision = "}},
    "parent that is not there": {"revisions": {"b1": revision_source("b1", "nowhere")}},
    "need that is not there": {"revisions": {"b1": revision_source("b1", depends_on="nowhere")}},
}


def assert_told(finished: Finished, code: int) -> None:
    """One message on standard error, no traceback, no secret, and that exit code."""
    assert finished.returncode == code, finished.stderr
    assert "corehost: error: " in finished.stderr
    for output in (finished.stdout, finished.stderr):
        assert "Traceback" not in output
        assert "s3cret" not in output


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments(shop: Shop, arguments: list[str]) -> None:
    """Wrong arguments are exit code 2."""
    shop.install("orders")
    assert_told(shop.run(*arguments), 2)


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(shop: Shop, content: str) -> None:
    """A wrong configuration file is exit code 2, and named where it is the file that is wrong."""
    shop.install("orders")
    (shop.folder / "corehost.toml").write_bytes(content.encode(errors="surrogateescape"))
    finished = shop.run("check", "--json")
    assert_told(finished, 2)
    assert finished.json()["error"]["message"]


@pytest.mark.parametrize("given", BAD_PLUGINS.values(), ids=BAD_PLUGINS)
def test_bad_plugins(shop: Shop, given: dict[str, object]) -> None:
    """A wrong plugin is exit code 2 of whatever needs the plugins, and its name is in the message."""
    shop.install("orders")
    shop.install("bad", **given)  # type: ignore[arg-type]
    finished = shop.run("migrate", "--json")
    assert_told(finished, 2)
    assert finished.json()["error"]["branch"] == "bad"
    assert_told(shop.run("plugins"), 2)
    assert shop.run("history").returncode == 0


def test_syntax_error_in_a_pending_body(shop: Shop) -> None:
    """A file that does not compile stops the pass before its first step."""
    shop.install(
        "orders", {"o1": revision_source("o1"), "o2": revision_source("o2", "o1") + "\ndef broken(:\n"}
    )
    finished = shop.run("migrate", "--json")
    assert_told(finished, 2)
    assert finished.json()["applied"] == []
    assert (
        finished.json()["error"]["file"].endswith("o2.py:19") or "o2.py" in finished.json()["error"]["file"]
    )


def test_nothing_installed(shop: Shop) -> None:
    """Without any branch there is nothing to host: exit code 2 with a hint."""
    finished = shop.run("check")
    assert_told(finished, 2)
    assert "allow_empty" in finished.stderr


def test_several_wrong_plugins(shop: Shop) -> None:
    """All that is wrong is told at once."""
    shop.install("orders", spec_source="None")
    shop.install("bills", spec_source="1 / 0")
    finished = shop.run("check")
    assert_told(finished, 2)
    assert "bills" in finished.stderr
    assert "orders" in finished.stderr


@pytest.mark.parametrize("kind", ["ProgrammingError", "names a table that is not there"])
def test_unforeseen(shop: Shop, kind: str) -> None:
    """An exception that nobody had thought of is one line and exit code 1; -v adds the traceback."""
    shop.install("orders")
    shop.run("migrate")
    shop.execute("ALTER TABLE orders.alembic_version RENAME COLUMN version_num TO number")
    finished = shop.run("status", "--json")
    assert_told(finished, 1)
    assert finished.json()["error"]["code"] == "unforeseen"
    assert len(finished.stderr.splitlines()) == 1
    assert "Traceback" in shop.run("status", "-v").stderr


def test_failing_observer_hook(shop: Shop) -> None:
    """A hook that only observes and fails is logged in one line; the pass goes on."""
    hooks = "\n\n@corehost.hookimpl\ndef corehost_step_finished(step):\n    raise RuntimeError('no')\n"
    shop.install("orders", hooks=hooks)
    finished = shop.run("migrate")
    assert finished.returncode == 0
    assert "corehost: error: a plugin's corehost_step_finished failed: RuntimeError: no\n" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_no_secret_of_an_unreachable_server(shop: Shop) -> None:
    """The password of a URL is in no message and in no document."""
    shop.install("orders")
    url = UNREACHABLE.replace("nobody@", "nobody:s3cret@")
    assert_told(shop.run("status", "--json", "-v", database=url), 6)


def test_role_without_rights(shop: Shop) -> None:
    """A role that may not create anything gets a message that says what to grant."""
    shop.install("orders", {"o1": revision_source("o1", upgrade=create_table("orders"))})
    role = "poor_" + os.urandom(6).hex()
    shop.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    try:
        user, _, rest = shop.database.removeprefix("postgresql://").partition("@")
        assert user
        finished = shop.run("migrate", database=f"postgresql://{role}:p@{rest}")
        assert_told(finished, finished.returncode)
        assert finished.returncode in (1, 6)
        assert "CREATE on the database" in finished.stderr
    finally:
        shop.execute(f"DROP ROLE {role}")
