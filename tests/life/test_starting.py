"""Plugins' start-up and shut-down hooks and their time; on a real database."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import corehost
from support.processes import wait_until

from .conftest import Install

HANGS = "builtins.gate.wait(60)"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a hook that hangs waits for."""
    event = threading.Event()
    monkeypatch.setattr("builtins.gate", event, raising=False)
    yield event
    event.set()
    for thread in threading.enumerate():  # what it says now must not be heard by the next test
        if thread.name.startswith(("corehost-startup of", "corehost-shutdown of")):
            thread.join(60)


def test_a_plugin_that_takes_too_long_to_start_is_named(
    gate: threading.Event, install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """The start fails naming it; what was started before is shut down; what came after is not started."""
    install("accounts")
    install("billing", requires=("accounts",), up=HANGS)
    install("orders", requires=("billing",))
    host = corehost.Host.from_config(**settings, startup_timeout="300ms")
    with pytest.raises(
        corehost.PluginStartFailed, match=r"'billing' failed to start: .* within 0\.3 s"
    ) as failure:
        host.start()
    assert failure.value.where.branch == "billing"
    assert told == ["accounts up", "billing up", "accounts down"]
    assert host.readiness().state == "failed"


def test_what_starts_too_late_is_shut_down(
    gate: threading.Event, install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """A hook that was given up goes on; when it ends well after all its plugin is shut down again."""
    install("billing", up=HANGS)
    host = corehost.Host.from_config(**settings, startup_timeout="300ms")
    with pytest.raises(corehost.PluginStartFailed):
        host.start()
    assert told == ["billing up"]
    gate.set()
    wait_until(lambda: told == ["billing up", "billing down"])


def test_a_plugin_is_not_started_while_its_earlier_start_goes_on(
    gate: threading.Event, install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """A second try names the first, which still hangs; when that has ended the plugin starts anew."""
    install("billing", up=HANGS)
    host = corehost.Host.from_config(**settings, startup_timeout="300ms")
    with pytest.raises(corehost.PluginStartFailed):
        host.start()
    with pytest.raises(corehost.PluginStartFailed, match="earlier try has not ended"):
        host.start()
    gate.set()
    host.start()
    assert (host.ready, told) == (True, ["billing up", "billing down", "billing up"])
    host.stop()


def test_a_plugin_that_hangs_does_not_hold_up_the_end(
    gate: threading.Event,
    install: Install,
    settings: dict[str, Any],
    told: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that does not shut down in time is named in the log, and the others are shut down."""
    install("accounts")
    install("billing", requires=("accounts",), down=HANGS)
    with caplog.at_level(logging.ERROR), corehost.Host.from_config(**settings, shutdown_timeout="300ms"):
        pass
    assert told == ["accounts up", "billing up", "accounts down"]
    assert "plugin 'billing' did not shut down within 0.3 s" in caplog.text


def test_which_plugin_is_being_started_is_shown(
    gate: threading.Event, install: Install, settings: dict[str, Any]
) -> None:
    """While a plugin starts, the instance is not ready and its message names the plugin."""
    install("billing", up=HANGS)
    host = corehost.Host.from_config(**settings)
    thread = threading.Thread(target=host.start, daemon=True)
    thread.start()
    wait_until(lambda: host.readiness().message == "plugin 'billing' starts")
    assert (host.ready, host.readiness().state) == (False, "starting")
    gate.set()
    thread.join(60)
    assert host.ready
    host.stop()


@pytest.mark.parametrize("what", ["host.stop()", "host.start()"])
def test_a_hook_cannot_wait_for_itself(what: str, install: Install, settings: dict[str, Any]) -> None:
    """A start-up hook that starts or stops its host is told that it cannot, and does not hang."""
    install("billing", up=what)
    with pytest.raises(corehost.PluginStartFailed, match="startup of billing cannot"):
        corehost.Host.from_config(**settings).start()


def test_a_plugin_that_exits_ends_no_host(install: Install, settings: dict[str, Any]) -> None:
    """sys.exit() in a start-up hook is a failure of that plugin like any other."""
    install("billing", up="raise SystemExit(3)")
    with pytest.raises(corehost.PluginStartFailed, match="SystemExit: 3"):
        corehost.Host.from_config(**settings).start()


def test_a_host_is_started_once(install: Install, settings: dict[str, Any], told: list[str]) -> None:
    """A second start of a host that is up is refused; after a stop it may be started again."""
    install("billing")
    host = corehost.Host.from_config(**settings)
    host.start()
    with pytest.raises(corehost.ConfigurationError, match="started already"):
        host.start()
    assert host.ready
    host.stop()
    assert (host.ready, host.readiness().state) == (False, "starting")
    host.start()
    assert told == ["billing up", "billing down", "billing up"]
    host.stop()
