"""Health checks that plugins register, on a real host behind a real port."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import corehost
from corehost import HealthServer, Host, PluginStartFailed, Settings
from support.packages import OWN_GROUP, spec, write_plugin
from support.processes import PATIENCE, wait_until

HOOK = """
from corehost_tests_checks import called


@corehost.hookimpl
def corehost_register_health_checks():
    return {checks}
"""


class Called:
    """What the checks do, and whether they may go on."""

    def __init__(self) -> None:
        self.hang = threading.Event()
        self.error: BaseException | None = None
        self.answer: Any = None
        self.times = 0

    def __call__(self, host: Host) -> Any:
        assert isinstance(host, Host)
        self.times += 1
        if self.hang.is_set():
            wait_until(lambda: not self.hang.is_set())
        if self.error is not None:
            raise self.error
        return self.answer


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[Called]:
    """The check of the plugin, which does as the test says."""
    called = Called()
    module = type(sys)("corehost_tests_checks")
    module.called = called  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "corehost_tests_checks", module)
    yield called
    called.hang.clear()


@pytest.fixture
def make(site: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Host]]:
    """A function that makes a host with one plugin, which registers these checks."""

    def make(checks: str) -> Host:
        declared = spec("orders", migrations=None)
        write_plugin(site, "orders", spec_source=declared, hooks=HOOK.format(checks=checks), group=OWN_GROUP)
        monkeypatch.syspath_prepend(site)
        settings = Settings(
            database_url=database, plugin_groups=(OWN_GROUP,), migration_groups=(), allow_empty=True
        )
        return Host(settings)

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "orders"]:
        del sys.modules[name]


def one(**given: object) -> str:
    """The source of a list with one check, called again at once."""
    options = "".join(f", {name}={value!r}" for name, value in given.items())
    return f"[corehost.HealthCheck(name='worker', check=called, interval='10ms'{options})]"


def get(server: HealthServer, path: str) -> httpx.Response:
    """One answer."""
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE)


def test_a_check_is_shown(make: Callable[[str], Host], called: Called) -> None:
    """In /health, not in /readyz, with what it returned; it is called again while the host serves."""
    called.answer = "3 jobs waiting, at amqp://me:hunter2@mq"
    with make(one()) as host, HealthServer(host, port=0, address="127.0.0.1") as server:
        wait_until(lambda: called.times > 2)
        (check,) = get(server, "/health").json()["checks"]
        assert "checks" not in get(server, "/readyz").json()
    assert (check["plugin"], check["name"], check["critical"]) == ("orders", "worker", False)
    assert (check["status"], check["message"]) == ("passing", "3 jobs waiting, at ***")
    assert check["duration_ms"] >= 0
    times = called.times
    assert threading.Event().wait(0.05) is False
    assert called.times <= times + 1  # the call that was under way when the host stopped


def test_an_informative_check_that_fails_is_only_shown(make: Callable[[str], Host], called: Called) -> None:
    """The instance stays ready; the log says it once."""
    called.error = ConnectionError("no mail server\nat all")
    with make(one()) as host, HealthServer(host, port=0, address="127.0.0.1") as server:
        wait_until(lambda: get(server, "/health").json()["checks"][0]["status"] == "failing")
        answer = get(server, "/health")
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")
    assert answer.json()["checks"][0]["message"] == "ConnectionError: no mail server"


def test_a_critical_check_decides_readiness(
    make: Callable[[str], Host], called: Called, caplog: pytest.LogCaptureFixture
) -> None:
    """503 while it fails, with its name; 200 as soon as it passes again."""
    with (
        caplog.at_level(logging.INFO, "corehost"),
        make(one(critical=True)) as host,
        HealthServer(host, port=0, address="127.0.0.1") as server,
    ):
        assert get(server, "/readyz").status_code == 200
        called.answer = False
        answer = wait_until(lambda: (r := get(server, "/readyz")).status_code == 503 and r)
        assert answer.json()["state"] == "degraded"
        assert answer.json()["message"] == "health check 'worker' of plugin 'orders' is failing"
        assert not host.ready
        called.answer = True
        wait_until(lambda: get(server, "/readyz").status_code == 200)
    told = [
        record.getMessage() for record in caplog.records if getattr(record, "event", "") == "check.changed"
    ]
    assert [text.rpartition(" ")[2] for text in told] == ["failing", "passing"]


def test_a_check_that_hangs_blocks_no_probe(make: Callable[[str], Host], called: Called) -> None:
    """It fails when its time is up, is not called again meanwhile, and counts when it returns."""
    with (
        make(one(critical=True, timeout="300ms")) as host,
        HealthServer(host, port=0, address="127.0.0.1") as server,
    ):
        called.hang.set()
        wait_until(lambda: get(server, "/readyz").status_code == 503)
        assert get(server, "/health").json()["checks"][0]["message"] == "no answer within 0.3 s"
        assert get(server, "/livez").status_code == 200
        times = called.times
        assert get(server, "/readyz").status_code == 503
        assert called.times == times
        called.hang.clear()
        wait_until(lambda: get(server, "/readyz").status_code == 200)


def test_an_instance_is_not_ready_before_its_critical_checks_have_answered(
    make: Callable[[str], Host], called: Called
) -> None:
    """The start waits for the first answer no longer than the check's own time, and does not fail for it."""
    called.hang.set()
    with make(one(critical=True, timeout="100ms")) as host:
        assert not host.ready
        called.hang.clear()
        wait_until(lambda: host.ready)


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("['worker']", "gave a str, not HealthCheck"),
        ("None.x", "AttributeError"),
        (f"2 * {one()}", "two health checks named 'worker'"),
        ("[corehost.HealthCheck(name='W', check=called)]", "the name does not match"),
    ],
)
def test_a_plugin_whose_checks_are_wrong_does_not_start(
    make: Callable[[str], Host], called: Called, checks: str, told: str
) -> None:
    """The error names the plugin."""
    host = make(checks)
    with pytest.raises(PluginStartFailed, match=f"plugin 'orders'.*{told}"):
        host.start()
    assert host.readiness().state == "failed"
    assert called.times == 0


def test_the_checks_of_a_late_plugin_are_its_own(
    make: Callable[[str], Host], called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that was added while the host serves cannot make the host unready."""
    called.error = RuntimeError("no luck")

    class Late:
        @corehost.hookimpl
        def corehost_register_plugin(self) -> corehost.PluginSpec:
            return corehost.PluginSpec(name="parcels")

        @corehost.hookimpl
        def corehost_register_health_checks(self) -> list[corehost.HealthCheck]:
            return [corehost.HealthCheck(name="depot", check=called, critical=True)]

    with make("[]") as host:
        host.add_plugin(Late())
        assert host.ready
        parcels = host.readiness(plugin="parcels")
        assert (parcels.ready, parcels.state) == (False, "degraded")
        assert "RuntimeError: no luck" in str(parcels.message)
