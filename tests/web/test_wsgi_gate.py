"""The WSGI gate, under wsgiref."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.validate import validator

import pytest

from corehost.core.errors import MigrationError
from corehost.core.settings import Settings
from corehost.wsgi import ReadinessGate
from support.processes import PATIENCE, wait_until
from support.serving import BlockingHost, status_of, wsgi_server


def hello(environ: Any, start_response: Any) -> list[bytes]:
    """A WSGI application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def test_construction_starts_nothing(host: BlockingHost) -> None:
    """A gate may be made before a server forks: there is no thread to be left behind."""
    before = threading.active_count()
    ReadinessGate(hello, host)
    assert (host.starts, threading.active_count()) == (0, before)


def test_the_first_request_starts_the_pass_and_is_answered_at_once(host: BlockingHost) -> None:
    """The first request gets a 503 while the pass that it began still runs."""
    with wsgi_server(validator(ReadinessGate(hello, host))) as client:
        response = client.get("/orders")
        assert host.running.wait(PATIENCE)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.json()["ready"] is False


def test_a_started_gate_needs_no_request(host: BlockingHost) -> None:
    """start() runs the pass before any request has come, once however often it is called."""
    host.release.set()
    gate = ReadinessGate(hello, host)
    gate.start()
    gate.start()
    wait_until(lambda: host.ready)
    assert host.starts == 1


def test_requests_pass_once_ready(host: BlockingHost) -> None:
    """The application is called after the pass, never before."""
    with wsgi_server(validator(ReadinessGate(hello, host))) as client:
        assert status_of(client, "/") == 503
        host.release.set()
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/").text == "hello"


@pytest.mark.parametrize(("path", "status"), [("/health", 503), ("/readyz", 503), ("/livez", 200)])
def test_the_endpoints_answer_while_the_pass_blocks(host: BlockingHost, path: str, status: int) -> None:
    """GET and HEAD are answered and POST is refused, on every endpoint."""
    with wsgi_server(validator(ReadinessGate(hello, host))) as client:
        assert client.get(path).status_code == status
        assert client.head(path).status_code == status
        assert client.head(path).content == b""
        assert client.post(path).status_code == 405


def test_details_and_metrics_are_for_who_shows_the_token(host: BlockingHost) -> None:
    """As in the ASGI gate."""
    host.settings = Settings(health_token="s3cret")
    shown = {"Authorization": "Bearer s3cret"}
    gate = ReadinessGate(hello, host, metrics="/metrics")
    with wsgi_server(validator(gate)) as client:
        client.get("/")
        assert host.running.wait(PATIENCE)
        assert client.get("/health").json().keys() == {"format_version", "ready", "state"}
        assert client.get("/health", headers=shown).json()["branch"] == "billing"
        assert client.get("/metrics").status_code == 401
        assert "corehost_ready 0.0" in client.get("/metrics", headers=shown).text


def test_concurrent_first_requests_start_one_pass(host: BlockingHost) -> None:
    """Twenty first requests at once begin a single pass."""
    with wsgi_server(ReadinessGate(hello, host)) as client, ThreadPoolExecutor(20) as pool:
        statuses = set(pool.map(lambda _: status_of(client, "/"), range(20)))
        assert host.running.wait(PATIENCE)
    assert (statuses, host.starts) == ({503}, 1)


def test_a_failed_migration_recovers() -> None:
    """A pass that fails is tried again until requests can pass."""
    host = BlockingHost(MigrationError("a table is in the way"))
    host.release.set()
    with wsgi_server(ReadinessGate(hello, host)) as client:
        wait_until(lambda: status_of(client, "/") == 200)
    assert host.starts == 2


def test_stop_stops_the_host(host: BlockingHost) -> None:
    """stop() runs the host's shutdown, and no later request starts it again."""
    host.release.set()
    gate = ReadinessGate(hello, host)
    with wsgi_server(gate) as client:
        wait_until(lambda: status_of(client, "/") == 200)
        gate.stop()
        client.get("/")
    assert host.log == ["host started", "host stopped"]
