"""The Host as an application uses it, in this process, on a real database."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import corehost
from support.ledger import STEPS
from support.packages import OWN_GROUP, create_table, revision_source, spec, write_plugin

LIFECYCLE = """
@corehost.hookimpl
def corehost_startup(host):
    host.hook.say(text="{name} up")


@corehost.hookimpl
def corehost_shutdown(host):
    host.hook.say(text="{name} down")
"""
OWN_SPECS = """
import corehost


@corehost.hookspec
def say(text):
    '''Told what happens.'''
"""
OWN_HOOKS = """
import corehost

said = []


@corehost.hookimpl
def say(text):
    said.append(text)


@corehost.hookimpl
def corehost_startup(host):
    said.append("host up")


@corehost.hookimpl
def corehost_shutdown(host):
    said.append("host down")
"""


@pytest.fixture
def shop(site: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Settings of a host with two plugins, hooks and hook specifications of its own."""
    before = set(sys.modules)
    for name, requires in (("billing", ("accounts",)), ("accounts", ())):
        write_plugin(
            site,
            name,
            spec_source=spec(name, requires=requires),
            revisions={"1": revision_source(f"{name[0]}1", None, upgrade=create_table("t"))},
            hooks=LIFECYCLE.format(name=name),
            group=OWN_GROUP,
        )
    (site / "shop_specs.py").write_text(OWN_SPECS)
    (site / "shop_hooks.py").write_text(OWN_HOOKS)
    monkeypatch.syspath_prepend(site)
    yield {
        "database_url": database,
        "plugin_groups": [OWN_GROUP],
        "migration_groups": [],
        "hookspecs": ["shop_specs"],
        "hooks": ["shop_hooks"],
    }
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("accounts", "billing", "shop_specs", "shop_hooks"):
            del sys.modules[name]


def said() -> list[str]:
    """What the host's own hook was told."""
    found: list[str] = sys.modules["shop_hooks"].said
    return found


def test_plugins_start_in_dependency_order_and_stop_in_reverse(shop: dict[str, Any]) -> None:
    """The host's own hooks first, then what others require; the way back is the same."""
    with corehost.Host.from_config(**shop) as host:
        assert host.ready
        up = list(said())
    assert up == ["host up", "accounts up", "billing up"]
    assert said()[3:] == ["billing down", "accounts down", "host down"]


def test_a_plugin_that_fails_to_start_is_named(site: Path, shop: dict[str, Any]) -> None:
    """The start fails with the plugin's name; what was started before is shut down; not ready."""
    module = site / "billing" / "corehost_plugin.py"
    module.write_text(module.read_text().replace('host.hook.say(text="billing up")', "1 / 0"))
    host = corehost.Host.from_config(**shop)
    with pytest.raises(corehost.PluginStartFailed, match="billing"):
        host.start()
    assert said() == ["host up", "accounts up", "accounts down", "host down"]
    assert (host.ready, host.readiness().state) == (False, "failed")


def test_a_second_pass_has_nothing_to_do(shop: dict[str, Any]) -> None:
    """The report of the first pass names its steps, that of the second none; both are ready."""
    first = corehost.Host.from_config(**shop).migrate()
    second = corehost.Host.from_config(**shop).migrate()
    assert [str(result.node) for result in first.applied] == [*STEPS, "accounts@a1", "billing@b1"]
    assert (second.applied, first.ready, second.ready) == ((), True, True)


def test_the_applications_random_numbers_stay_its_own(shop: dict[str, Any]) -> None:
    """An application that has seeded Python's generator draws what it would have drawn without a start."""
    random.seed(7)
    seeded = random.getstate()
    with corehost.Host.from_config(**shop):
        assert random.getstate() == seeded


def test_a_host_may_open_its_connections_itself(shop: dict[str, Any]) -> None:
    """``connect`` is called for every connection, and corehost closes each."""
    url = shop.pop("database_url")
    opened: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(url))
        return opened[-1]

    host = corehost.Host(corehost.Settings(**shop), connect=connect)
    assert len(host.migrate().applied) == 2 + len(STEPS)
    assert opened
    assert all(connection.closed for connection in opened)


def test_an_asynchronous_host_does_not_block_the_loop(shop: dict[str, Any]) -> None:
    """While ``migrate_async`` runs the event loop goes on, and ``async with`` starts and stops."""

    async def serve() -> tuple[int, bool]:
        ticks = 0
        host = corehost.Host.from_config(**shop)
        task = asyncio.create_task(host.migrate_async())
        while not task.done():
            await asyncio.sleep(0.005)
            ticks += 1
        await task
        async with host:
            return ticks, host.ready

    ticks, ready = asyncio.run(serve())
    assert ticks > 1
    assert ready
    assert said()[-1] == "host down"


def test_a_failing_revision_is_told_and_tried_again(site: Path, shop: dict[str, Any]) -> None:
    """MigrationError with the report, failed in readiness and ledger; mended, the next pass applies it."""
    file = site / "billing" / "migrations" / "versions" / "1.py"
    good = file.read_text()
    file.write_text(good.replace("op.create_table(", 'op.execute("SELECT 1 / 0"); op.create_table('))
    host = corehost.Host.from_config(**shop)
    with pytest.raises(corehost.MigrationError) as failure:
        host.migrate()
    error = failure.value
    assert error.report is not None
    assert [str(result.node) for result in error.report.applied] == [*STEPS, "accounts@a1"]
    assert (error.where.branch, error.where.revision) == ("billing", "b1")
    assert "division by zero" in str(error)
    assert (host.readiness().state, host.readiness().revision) == ("failed", "b1")
    with psycopg.connect(shop["database_url"]) as connection:
        recorded = connection.execute(
            "SELECT outcome, open FROM corehost.step WHERE revision = 'b1'"
        ).fetchall()
        assert recorded == [("failed", True)]
    file.write_text(good)
    report = corehost.Host.from_config(**shop).migrate()
    assert [str(result.node) for result in report.applied] == ["billing@b1"]
    with psycopg.connect(shop["database_url"]) as connection:
        left = connection.execute("SELECT count(*) FROM corehost.step WHERE open").fetchone()
    assert left == (0,)


def test_schema_says_where_a_plugin_is(shop: dict[str, Any]) -> None:
    """``corehost.schema`` gives the schema in effect, and refuses a name that is not installed."""
    shop["mounts"] = {"accounts": {"schema": "people"}}
    corehost.Host.from_config(**shop).migrate()
    assert corehost.schema("accounts") == "people"
    with pytest.raises(corehost.ConfigurationError, match="did you mean 'accounts'"):
        corehost.schema("acounts")
    with psycopg.connect(shop["database_url"]) as connection:
        row = connection.execute(
            "SELECT to_regclass('people.alembic_version_accounts') IS NOT NULL"
        ).fetchone()
    assert row == (True,)
