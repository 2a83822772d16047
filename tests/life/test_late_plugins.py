"""Plugins that are added while the host serves; on a real database."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

import corehost
from support.packages import create_table, revision_source, spec
from support.processes import wait_until

from .conftest import Install

REGISTERS = """\
import corehost
from corehost import PluginSpec


@corehost.hookimpl
def corehost_register_plugin():
    return """


def state_of(host: corehost.Host) -> list[Any]:
    """All of a running host that a failed addition must leave alone."""
    installation = host.installation
    return [
        installation,
        installation.order,
        sorted(installation.graph.trees),
        sorted(name for name, plugin in installation.discovery.manager.list_name_plugin() if plugin),
        host.readiness(),
        corehost.schema("accounts"),
    ]


def table_is_there(settings: dict[str, Any], name: str) -> bool:
    """Whether a qualified table exists."""
    with psycopg.connect(settings["database_url"]) as connection:
        return connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,)


def test_a_plugin_that_was_never_installed_is_added(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """By its name: it is migrated, started, reported by itself, and shut down with the others, first."""
    install("accounts")
    install("billing", requires=("accounts",), installed=False)
    with corehost.Host.from_config(**settings) as host:
        report = host.add_plugin("billing.corehost_plugin")
        assert [str(result.node) for result in report.applied] == ["billing@billing1"]
        assert table_is_there(settings, "billing.t")
        assert (host.ready, host.readiness(plugin="billing").state) == (True, "ready")
        assert host.readiness().as_dict()["plugins"]["billing"]["ready"] is True  # type: ignore[index]
        assert (corehost.schema("billing"), host.readiness(plugin="accounts").state) == ("billing", "ready")
        with pytest.raises(corehost.ConfigurationError, match="did you mean 'billing'"):
            host.readiness(plugin="biling")
    assert told == ["accounts up", "billing up", "billing down", "accounts down"]


def test_later_passes_and_starts_know_an_added_plugin(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """A pass of the running host covers it, and when the host is started again so is the plugin."""
    install("accounts")
    install("billing", installed=False)
    host = corehost.Host.from_config(**settings)
    host.start()
    host.add_plugin("billing.corehost_plugin")
    with psycopg.connect(settings["database_url"], autocommit=True) as connection:
        connection.execute("DROP SCHEMA billing CASCADE")
        connection.execute("DELETE FROM corehost.branch WHERE branch = 'billing'")
        connection.execute("DELETE FROM corehost.step WHERE branch = 'billing'")
    assert [str(result.node) for result in host.migrate().applied] == ["billing@billing1"]
    host.stop()
    assert not host.readiness().plugins
    host.start()
    assert told[-2:] == ["accounts up", "billing up"]
    host.stop()


def test_a_module_loaded_from_a_path_is_added(
    install: Install, settings: dict[str, Any], site: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """A package that no name leads to is found by its own module."""
    install("accounts")
    apart = site / "apart"
    (apart / "migrations").mkdir(parents=True)
    (apart / "migrations" / "1.py").write_text(revision_source("p1", upgrade=create_table("t")))
    source = REGISTERS + spec("parcels", migrations="parcels_package:migrations")
    (apart / "__init__.py").write_text(source)
    loaded = importlib.util.spec_from_file_location("parcels_package", apart / "__init__.py")
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    with corehost.Host.from_config(**settings) as host:
        host.add_plugin(module)
        assert table_is_there(settings, "parcels.t")
    del sys.modules["parcels_package"]


def test_the_host_serves_while_a_plugin_is_migrated(
    install: Install, settings: dict[str, Any], tmp_path: Path, told: list[str]
) -> None:
    """The host stays ready throughout; the plugin is shown with its revision, and is not called yet."""
    release = tmp_path / "release"
    slow = f"import pathlib, time\nwhile not pathlib.Path({str(release)!r}).exists():\n    time.sleep(0.02)"
    install("accounts")
    install("billing", installed=False, upgrade=slow)
    with corehost.Host.from_config(**settings) as host:
        thread = threading.Thread(target=host.add_plugin, args=("billing.corehost_plugin",))
        thread.start()
        wait_until(lambda: host.readiness().plugins.get("billing", host.readiness()).state == "migrating")
        billing = host.readiness(plugin="billing")
        assert (billing.ready, billing.branch, billing.revision) == (False, "billing", "billing1")
        assert (host.ready, host.readiness().state) == (True, "ready")
        assert host.installation.discovery.manager.get_plugin("billing") is None
        release.touch()
        thread.join(60)
        assert host.readiness(plugin="billing").ready


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a wrong spec": ({"spec_source": "None"}, "not a PluginSpec"),
    "an unmet requirement": ({"requires": ("nobody",)}, "requires 'nobody', which is not installed"),
    "a failing migration": ({"upgrade": 'op.execute("SELECT 1/0")'}, "billing1 failed: .*division by zero"),
    "a syntax error": ({"upgrade": "1 +"}, "billing1|syntax"),
    "a failing hook": ({"up": "1 / 0"}, "'billing' failed to start: ZeroDivisionError"),
    "another's table": (
        {"schema": "accounts", "version_table": "alembic_version"},
        "share the version table",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_failure_leaves_the_host_as_it_was(
    what: str, install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """Whatever is wrong with the plugin, the error names it, and nothing of the running host has changed."""
    given, message = BROKEN[what]
    install("accounts")
    install("billing", installed=False, **given)
    with corehost.Host.from_config(**settings) as host:
        before = state_of(host)
        with pytest.raises(corehost.MigrationError, match=message) as failure:
            host.add_plugin("billing.corehost_plugin")
        assert "billing" in str(failure.value)
        assert state_of(host) == before
        with pytest.raises(corehost.ConfigurationError):
            corehost.schema("billing")
        told.clear()
    assert told == ["accounts down"]


def test_a_plugin_that_was_mended_is_added(install: Install, settings: dict[str, Any]) -> None:
    """After a failure the same name may be tried again, and comes through."""
    install("accounts")
    install("billing", installed=False, up="1 / 0")
    install("orders", installed=False)
    with corehost.Host.from_config(**settings) as host:
        with pytest.raises(corehost.PluginStartFailed):
            host.add_plugin("billing.corehost_plugin")
        good = ModuleType("good")
        exec(REGISTERS + spec("billing"), good.__dict__)
        host.add_plugin(good)
        assert host.readiness(plugin="billing").ready


def test_what_is_there_or_disabled_is_refused(install: Install, settings: dict[str, Any]) -> None:
    """A name that the host has, a module that it has, and a name that the settings rule out."""
    install("accounts")
    install("billing", installed=False)
    with corehost.Host.from_config(**settings, disabled=["billing"]) as host:
        with pytest.raises(corehost.PluginError, match="'accounts' of this host already"):
            host.add_plugin("accounts.corehost_plugin")
        with pytest.raises(corehost.PluginError, match="disabled"):
            host.add_plugin("billing.corehost_plugin")
        with pytest.raises(corehost.PluginError, match="does not import"):
            host.add_plugin("nowhere")


def test_several_threads_add_plugins(install: Install, settings: dict[str, Any], told: list[str]) -> None:
    """Each plugin is there in the end, whatever the order, one after the other."""
    install("accounts")
    names = ["billing", "orders", "parcels"]
    for name in names:
        install(name, installed=False, requires=("accounts",))
    with corehost.Host.from_config(**settings) as host:

        async def add() -> None:
            await asyncio.gather(*(host.add_plugin_async(f"{name}.corehost_plugin") for name in names))

        asyncio.run(add())
        assert {*names} < {*host.installation.order}
        assert all(host.readiness(plugin=name).ready for name in names)


def test_a_plugin_added_before_the_start_comes_with_it(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """It is noted, and migrated and started in its place among the others."""
    install("orders", requires=("accounts",), installed=False)
    install("accounts")
    host = corehost.Host.from_config(**settings)
    assert host.add_plugin("orders.corehost_plugin").applied == ()
    assert told == []
    with host:
        assert host.ready
    assert told == ["accounts up", "orders up", "orders down", "accounts down"]


def test_a_start_that_only_checks_adds_nothing_that_is_pending(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """``mode`` holds for a late plugin as well: its migrations are another job's."""
    install("accounts")
    install("billing", installed=False)
    corehost.Host.from_config(**settings).migrate()
    with corehost.Host.from_config(**settings, mode="check") as host:
        with pytest.raises(corehost.RevisionsPending, match="billing"):
            host.add_plugin("billing.corehost_plugin")
        assert (host.ready, told) == (True, ["accounts up"])


def test_a_stop_ends_the_addition(
    install: Install, settings: dict[str, Any], tmp_path: Path, told: list[str]
) -> None:
    """A plugin whose migration waits when the host stops is not started any more."""
    from corehost.core.namespace import lock_key

    install("accounts")
    install("billing", installed=False)
    failures: list[BaseException] = []
    host = corehost.Host.from_config(**settings)
    host.start()

    def add() -> None:
        try:
            host.add_plugin("billing.corehost_plugin")
        except corehost.PassStopped as error:
            failures.append(error)

    with psycopg.connect(settings["database_url"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("billing")])
        thread = threading.Thread(target=add)
        thread.start()
        wait_until(lambda: "billing" in host.readiness().plugins)
        wait_until(lambda: host.readiness(plugin="billing").state == "waiting")
        host.stop()
        thread.join(60)
    assert len(failures) == 1
    assert told == ["accounts up", "accounts down"]
