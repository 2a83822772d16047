"""What a start does in each ``mode``; on a real database."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import corehost
from corehost.core.namespace import lock_key
from support.processes import wait_until
from support.shop import UNREACHABLE

from .conftest import Install


def started(settings: dict[str, Any], **more: Any) -> tuple[corehost.Host, threading.Thread]:
    """A host whose start runs on a thread."""
    host = corehost.Host.from_config(**settings, **more)
    thread = threading.Thread(target=host.start, daemon=True)
    thread.start()
    return host, thread


def test_wait_waits_until_another_job_has_migrated(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """With ``wait`` nothing is changed by the start; when another job is done the plugins are started."""
    install("orders")
    host, thread = started(settings, mode="wait")
    wait_until(lambda: host.readiness().state == "waiting")
    assert (host.ready, told) == (False, [])
    assert "orders (1 pending" in (host.readiness().message or "")
    assert corehost.Host.from_config(**settings).migrate().ready
    thread.join(60)
    assert (host.ready, told) == (True, ["orders up"])
    host.stop()


def test_a_start_that_waits_can_be_stopped(install: Install, settings: dict[str, Any]) -> None:
    """The end comes at once, as one that was asked for."""
    install("orders")
    host = corehost.Host.from_config(**settings, mode="wait")
    failures: list[BaseException] = []

    def start() -> None:
        try:
            host.start()
        except corehost.PassStopped as error:
            failures.append(error)

    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    wait_until(lambda: host.readiness().state == "waiting")
    assert host.interrupt()
    thread.join(60)
    assert len(failures) == 1


def test_wait_ends_when_nobody_makes_progress(install: Install, settings: dict[str, Any]) -> None:
    """After wait_timeout without any progress the start fails with exit code 4."""
    install("orders")
    with pytest.raises(corehost.WaitTimedOut, match="orders"):
        corehost.Host.from_config(**settings, mode="wait", wait_timeout="200ms").start()


def test_check_fails_fast(install: Install, settings: dict[str, Any]) -> None:
    """With ``check`` a start ends at once with exit code 3, naming what is pending, and changes nothing."""
    install("orders")
    host = corehost.Host.from_config(**settings, mode="check")
    with pytest.raises(corehost.RevisionsPending, match="orders") as failure:
        host.start()
    assert failure.value.exit_code == 3
    assert host.readiness().state == "failed"
    assert corehost.Host.from_config(**settings).plan()


def test_check_starts_what_has_nothing_pending(
    install: Install, settings: dict[str, Any], told: list[str]
) -> None:
    """Where nothing is pending, the plugins are started without any lock taken."""
    import psycopg

    install("orders")
    corehost.Host.from_config(**settings).migrate()
    with psycopg.connect(settings["database_url"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        with corehost.Host.from_config(**settings, mode="check") as host:
            assert host.ready
    assert told == ["orders up", "orders down"]


def test_check_of_a_database_that_is_away(install: Install, settings: dict[str, Any]) -> None:
    """It is not waited for: exit code 6 at once."""
    install("orders")
    host = corehost.Host.from_config(**{**settings, "database_url": UNREACHABLE, "mode": "check"})
    with pytest.raises(corehost.DatabaseUnavailable):
        host.start()


def test_off_looks_at_nothing(install: Install, settings: dict[str, Any], told: list[str]) -> None:
    """With ``off`` a host is ready without a database, its plugins started."""
    install("orders")
    with corehost.Host.from_config(**{**settings, "database_url": UNREACHABLE, "mode": "off"}) as host:
        assert host.ready
    assert told == ["orders up", "orders down"]


@pytest.mark.parametrize("mode", ["wait", "check", "off"])
def test_who_asks_for_a_pass_gets_one(mode: str, install: Install, settings: dict[str, Any]) -> None:
    """``migrate()``, and so the command of that name, migrates whatever the mode of a start is."""
    install("orders")
    assert corehost.Host.from_config(**settings, mode=mode).migrate().applied[-1].node.branch == "orders"
