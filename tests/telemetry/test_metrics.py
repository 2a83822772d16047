"""The numbers for Prometheus."""

from __future__ import annotations

import re
import sys
import threading

import httpx
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from corehost import Host, HostCollector, MigrationError, Settings
from corehost.core.errors import ConfigurationError
from corehost.core.namespace import lock_key
from corehost.core.plan import Step
from corehost.core.results import BranchCount
from corehost.migrate import Observer
from corehost.web.server import HealthServer
from support.processes import output_of, wait_until
from support.serving import BlockingHost
from telemetry.conftest import FAILS, MakeHost

NAMES = {
    "corehost_ready": set(),
    "corehost_branch_state": {"branch", "state"},
    "corehost_pending_revisions": {"branch"},
    "corehost_steps_total": {"branch", "outcome"},
    "corehost_step_duration_seconds": set(),
    "corehost_lock_wait_seconds": set(),
    "corehost_retries_total": {"reason"},
    "corehost_build_info": {"version", "python_version"},
}
"""Every metric with its labels, as the contract has them."""


def registry_of(host: Host) -> CollectorRegistry:
    """A registry with the host's collector in it."""
    registry = CollectorRegistry()
    registry.register(HostCollector(host))
    return registry


def test_a_pass_is_counted(make_host: MakeHost) -> None:
    """Steps, how long they took, what is pending, and that the host is ready."""
    host = make_host()
    registry = registry_of(host)
    assert registry.get_sample_value("corehost_ready") == 0
    report = host.migrate()
    for branch in ("invoices", "orders"):
        labels = {"branch": branch}
        assert registry.get_sample_value("corehost_steps_total", {**labels, "outcome": "applied"}) == 1
        assert registry.get_sample_value("corehost_pending_revisions", labels) == 0
        assert registry.get_sample_value("corehost_branch_state", {**labels, "state": "current"}) == 1
    assert registry.get_sample_value("corehost_ready") == 1
    took = sum(result.duration_ms for result in report.applied) / 1000
    assert registry.get_sample_value("corehost_step_duration_seconds_count") == len(report.applied)
    assert registry.get_sample_value("corehost_step_duration_seconds_sum") == pytest.approx(took)
    assert registry.get_sample_value("corehost_lock_wait_seconds_count") == 1


def test_a_failure_is_counted(make_host: MakeHost) -> None:
    """The step that failed, the branch that is pending still, and that the host is not ready."""
    host = make_host(FAILS)
    with pytest.raises(MigrationError):
        host.migrate()
    registry = registry_of(host)
    failed = {"branch": "invoices", "outcome": "failed"}
    assert registry.get_sample_value("corehost_steps_total", failed) == 1
    assert registry.get_sample_value("corehost_pending_revisions", {"branch": "invoices"}) == 1
    assert registry.get_sample_value("corehost_ready") == 0


def test_waiting_is_counted(make_host: MakeHost, database: str) -> None:
    """How long the pass has waited for others: here for as long as somebody holds a namespace's lock."""
    host = make_host()
    with psycopg.connect(database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        migrating = threading.Thread(target=host.migrate)
        migrating.start()
        wait_until(lambda: host.readiness().state == "waiting")
    migrating.join()
    assert host.measures.waits.total > 0


def test_a_retry_is_counted(make_host: MakeHost, database: str) -> None:
    """A step that cannot have its table's lock in time is tried again."""
    with psycopg.connect(database) as busy:
        busy.execute("CREATE TABLE public.busy ()")
        busy.commit()
        busy.execute("LOCK TABLE public.busy")
        host = make_host('op.execute("LOCK TABLE public.busy")', lock_timeout="50ms")
        migrating = threading.Thread(target=host.migrate)
        migrating.start()
        wait_until(lambda: host.measures.retries)
    migrating.join()
    assert host.measures.retries.keys() == {"lock_timeout"}
    assert registry_of(host).get_sample_value("corehost_retries_total", {"reason": "lock_timeout"})


def test_names_and_labels_are_those_of_the_contract(make_host: MakeHost) -> None:
    """Whatever a dashboard is written against; no label that a scraper gives by itself."""
    host = make_host()
    host.migrate()
    host.measures.retried("deadlock")
    found: dict[str, set[str]] = {}
    for metric in registry_of(host).collect():
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                name = re.sub(r"_(bucket|count|sum)$", "", sample.name)
                found.setdefault(name, set()).update(sample.labels.keys() - {"le"})
    assert found == NAMES
    assert not {"namespace", "instance", "job", "pod", "revision"} & set().union(*found.values())


def test_pending_falls_while_the_pass_works(make_host: MakeHost) -> None:
    """A scrape in the middle of a step sees what is done, and which branch is being migrated."""
    host = make_host()
    seen: list[dict[str, BranchCount]] = []

    class Scraper(Observer):
        def step_started(self, step: Step) -> None:
            if step.node.branch == "invoices":
                seen.append({count.branch: count for count in host.measures.branches})

    host.migrate(observer=Scraper())
    (counts,) = seen
    assert (counts["orders"].state, counts["orders"].pending) == ("current", 0)
    assert (counts["invoices"].state, counts["invoices"].pending) == ("migrating", 1)


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_a_scrape_is_answered(accept: str) -> None:
    """On its path, in the format that the scraper asks for, also before the first pass."""
    with HealthServer(BlockingHost(), port=0, address="127.0.0.1", metrics="/metrics") as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert (accept or "text/plain") in answer.headers["Content-Type"]
    assert "corehost_ready 0.0" in answer.text


def test_a_scrape_needs_the_token_where_there_is_one() -> None:
    """Metrics are all details."""
    host = BlockingHost()
    host.settings = Settings(health_token="s3cret")
    with HealthServer(host, port=0, address="127.0.0.1", metrics="/metrics") as server:
        url = f"http://127.0.0.1:{server.port}/metrics"
        refused = httpx.get(url)
        shown = httpx.get(url, headers={"Authorization": "Bearer s3cret"})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="corehost"')
    assert shown.status_code == 200


def test_without_the_extra_metrics_are_a_mistake_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told when the server is made, with what to install."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"metrics need prometheus-client; install corehost"):
        HealthServer(BlockingHost(), port=0, metrics="/metrics")


def test_nothing_is_imported_that_is_not_used() -> None:
    """A host, its gates and its server load neither prometheus-client nor OpenTelemetry."""
    program = (
        "import sys, corehost, corehost.host, corehost.asgi, corehost.wsgi, corehost.web.server\n"
        "corehost.HealthServer(corehost.Host(corehost.Settings()), port=0)\n"
        "print({'prometheus_client', 'opentelemetry'} & sys.modules.keys() or '')"
    )
    assert output_of(program).strip() == ""
