"""What a host that has stopped, or could not start, leaves running: nothing; on a real database."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

import corehost
from corehost.core.namespace import Namespace, lock_key
from corehost.postgres.presence import read_present
from support.packages import create_table, revision_source
from support.processes import wait_until

from .conftest import Install

UP, DOWN = ["accounts up", "billing up"], ["billing down", "accounts down"]


def present(settings: dict[str, Any]) -> list[str]:
    """The releases of the instances that are present."""
    with psycopg.connect(settings["database_url"], autocommit=True) as connection:
        return [one.digest for one in read_present(connection)]


def test_a_step_in_the_background_has_ended_when_the_host_has_stopped(
    install: Install, settings: dict[str, Any], site: Path, told: list[str]
) -> None:
    """stop() cuts it after shutdown_grace and waits for that: nothing is in doubt when the process ends."""
    install("data")
    corehost.Host.from_config(**settings).migrate()
    (file,) = (site / "data").rglob("1.py")
    body = 'import builtins\nbuiltins.told.append("at work")\nop.execute("SELECT pg_sleep(600)")'
    file.with_name("2.py").write_text(revision_source("data2", "data1", upgrade=body, blocking=False))
    host = corehost.Host.from_config(**settings, shutdown_grace="200ms")
    host.start()
    wait_until(lambda: "at work" in told)
    host.stop()
    assert not [one.name for one in threading.enumerate() if one.name == "corehost-late-steps"]


def test_a_plugin_that_failed_to_start_leaves_no_presence(install: Install, settings: dict[str, Any]) -> None:
    """Others see the host as it was before, and its own state is never judged by that plugin again."""
    install("accounts")
    install("billing", installed=False, up="1 / 0")
    with corehost.Host.from_config(**settings) as host:
        before = present(settings)
        with pytest.raises(corehost.PluginStartFailed):
            host.add_plugin("billing.corehost_plugin")
        wait_until(lambda: present(settings) == before)
    assert len(before) == 1


def test_a_host_that_stops_while_a_plugin_is_added_is_not_present_any_more(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """The end comes in the moment when the presence is taken with the plugin."""
    install("accounts")
    body = create_table("t") + '\nimport builtins\nbuiltins.told.append("migrated")'
    install("billing", installed=False, upgrade=body)
    stopped: list[bool] = []

    def connect() -> psycopg.Connection[Any]:
        if "migrated" in told and not stopped:
            stopped.append(True)
            host.stop()
        return psycopg.connect(settings["database_url"])

    given = {name: value for name, value in settings.items() if name != "database_url"}
    host = corehost.Host.from_config(connect=connect, **given)
    host.start()
    with pytest.raises(corehost.MigrationError, match="stopped before plugin 'billing'"):
        host.add_plugin("billing.corehost_plugin")
    wait_until(lambda: not present(settings))
    assert stopped


CHECKS = """\
import corehost
from corehost import PluginSpec


def hangs(host):
    import builtins, signal, threading
    builtins.told.append("checked")
    if builtins.told.count("checked") == 1:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    builtins.gate.wait(60)


@corehost.hookimpl
def corehost_register_health_checks():
    return [corehost.HealthCheck(name="depot", check=hangs, timeout="50s", interval="1ms", critical=True)]
"""


def test_ctrl_c_during_the_first_checks_ends_them(
    install: Install, settings: dict[str, Any], site: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that is broken off calls no check any more."""
    gate = threading.Event()
    monkeypatch.setattr("builtins.gate", gate, raising=False)
    install("accounts")
    plugin = site / "accounts" / "corehost_plugin.py"
    plugin.write_text(plugin.read_text() + "\n\n" + CHECKS)
    host = corehost.Host.from_config(**settings)
    with pytest.raises(KeyboardInterrupt):
        host.start()
    (check,) = (one for one in threading.enumerate() if one.name.startswith("corehost-check"))
    gate.set()
    check.join(10)
    assert not check.is_alive()
    assert told == ["accounts up", "checked", "accounts down"]


def test_who_waits_for_a_contract_step_says_so(install: Install, settings: dict[str, Any]) -> None:
    """An instance with nothing to do itself is not starting, but waiting for who takes something away."""
    install("accounts")
    corehost.Host.from_config(**settings).migrate()
    host = corehost.Host.from_config(**settings)
    key = Namespace(schema="accounts", version_table="alembic_version").contract_key
    assert key != lock_key("accounts")
    with psycopg.connect(settings["database_url"], autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [key])
        thread = threading.Thread(target=host.start, daemon=True)
        thread.start()
        wait_until(lambda: host.readiness().state == "waiting")
        assert "a contract step, which is run in namespace 'accounts'" in (host.readiness().message or "")
    thread.join(60)
    assert host.ready
    host.stop()


def test_what_is_left_out_stays_so_when_a_later_pass_fails(
    install: Install, settings: dict[str, Any]
) -> None:
    """A pass of a serving host that somebody else keeps from its end gives nobody hooks without tables."""
    install("accounts")
    install("billing", upgrade='op.execute("SELECT 1/0")')
    with corehost.Host.from_config(**settings, on_migration_error="disable") as host:
        manager = host.installation.discovery.manager
        assert manager.get_plugin("billing") is None
        with psycopg.connect(settings["database_url"], autocommit=True) as other:
            other.execute("DROP SCHEMA accounts CASCADE")
            other.execute("DELETE FROM corehost.branch WHERE branch = 'accounts'")
            other.execute("DELETE FROM corehost.step WHERE branch = 'accounts'")
            other.execute("SELECT pg_advisory_lock(%s)", [lock_key("accounts")])
            with pytest.raises(corehost.WaitTimedOut):
                host.migrate(wait=False)
        assert manager.get_plugin("billing") is None


def test_what_was_left_out_comes_back_with_a_start(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """A later pass of the serving host may get it done; but nobody calls a plugin that was never started."""
    install("accounts")
    body = 'import builtins\nif "mended" not in builtins.told:\n    op.execute("SELECT 1/0")'
    install("billing", upgrade=body)
    with corehost.Host.from_config(**settings, on_migration_error="disable") as host:
        manager = host.installation.discovery.manager
        told.append("mended")
        wait_until(lambda: not host.migrate().left_out)
        assert manager.get_plugin("billing") is None
        assert host.readiness(plugin="billing").state == "failed"
    with host:
        assert manager.get_plugin("billing") is not None
        assert host.readiness(plugin="billing").ready
    assert told == ["accounts up", "mended", "accounts down", *UP, *DOWN]
