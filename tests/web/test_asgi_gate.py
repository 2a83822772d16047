"""The ASGI gate, under a real uvicorn."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import websockets
from websockets.sync.client import connect

from corehost.asgi import ReadinessGate
from corehost.core.errors import ConfigurationError, MigrationError
from corehost.core.settings import Settings
from support.processes import PATIENCE, wait_until
from support.serving import BlockingHost, status_of, uvicorn_server


def application(host: BlockingHost, *, lifespan: bool = True) -> Any:
    """A plain ASGI application that tells the host's log what it does, and echoes its state."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            if not lifespan:
                raise ValueError("no lifespan here")
            await receive()
            host.log.append("application started")
            scope["state"]["greeting"] = "hello"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            host.log.append("application stopped")
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        else:
            host.log.append("request")
            body = scope.get("state", {}).get("greeting", "no state").encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

    return app


def test_the_port_answers_before_the_pass_has_ended(host: BlockingHost) -> None:
    """While the pass runs an application path gets a 503 in JSON that says what is going on."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        assert host.running.wait(PATIENCE)
        response = client.get("/orders")
        assert response.status_code == 503
        assert response.json() == {
            "format_version": "1.0",
            "ready": False,
            "state": "migrating",
            "branch": "billing",
            "revision": "a06d3c88e15b",
        }


@pytest.mark.parametrize("path", ["/orders", "/health", "/readyz"])
def test_a_client_is_told_when_to_come_back(host: BlockingHost, path: str) -> None:
    """Every 503 has Retry-After, is JSON and is not to be stored."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        headers = client.get(path).headers
        assert headers["Retry-After"] == "1"
        assert headers["Content-Type"] == "application/json"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_readiness_turns_with_the_pass(host: BlockingHost, path: str) -> None:
    """The readiness endpoints answer 503 while the pass runs and 200 after it."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        assert status_of(client, path) == 503
        host.release.set()
        wait_until(lambda: status_of(client, path) == 200)
        assert client.get(path).json() == {"format_version": "1.0", "ready": True, "state": "ready"}


def test_the_paths_that_were_asked_for_are_answered(host: BlockingHost) -> None:
    """Metrics and the description are there while the pass runs, under no other path."""
    gate = ReadinessGate(application(host), host, metrics="/numbers", openapi="/openapi.json")
    with uvicorn_server(gate) as client:
        assert "corehost_ready 0.0" in client.get("/numbers").text
        assert "/numbers" in client.get("/openapi.json").json()["paths"]
        assert status_of(client, "/metrics") == 503


def test_details_are_for_who_shows_the_token(host: BlockingHost) -> None:
    """A probe without it sees whether the instance may serve; metrics it does not see."""
    host.settings = Settings(health_token="s3cret")
    shown = {"Authorization": "Bearer s3cret"}
    with uvicorn_server(ReadinessGate(application(host), host, metrics="/metrics")) as client:
        assert host.running.wait(PATIENCE)
        assert client.get("/health").json().keys() == {"format_version", "ready", "state"}
        assert client.get("/health", headers=shown).json()["branch"] == "billing"
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers=shown).status_code == 200


def test_liveness_does_not_wait_for_the_pass(host: BlockingHost) -> None:
    """/livez answers 200 while the pass runs."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        assert client.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/readyz", "/livez"])
def test_head_has_the_headers_and_no_body(host: BlockingHost, path: str) -> None:
    """HEAD answers as GET does, without the body."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        assert host.running.wait(PATIENCE)
        got, head = client.get(path), client.head(path)
        assert head.content == b""
        assert head.status_code == got.status_code
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


def test_other_methods_are_refused(host: BlockingHost) -> None:
    """A health endpoint answers 405 to POST, and names what it allows."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        response = client.post("/readyz")
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


def test_no_request_reaches_the_application_before_it_is_ready(host: BlockingHost) -> None:
    """With clients hammering across the change, the application is called only after both starts."""
    done = threading.Event()

    with uvicorn_server(ReadinessGate(application(host), host)) as client:

        def hammer() -> list[int]:
            seen = []
            while not done.is_set():
                seen.append(status_of(client, "/orders"))
            return seen

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(hammer) for _ in range(4)]
            wait_until(lambda: host.running.is_set() and status_of(client, "/livez") == 200)
            host.release.set()
            wait_until(lambda: host.log.count("request") > 20)
            done.set()
            statuses = {status for future in futures for status in future.result()}
    assert statuses == {200, 503}
    assert host.log[:3] == ["host started", "application started", "request"]


def test_concurrent_probes_are_answered_while_the_pass_blocks(host: BlockingHost) -> None:
    """Fifty probes at once are all answered although the pass never lets go of its thread."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        assert host.running.wait(PATIENCE)
        with ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(lambda path: status_of(client, path), ["/readyz", "/livez"] * 25))
        assert statuses == [503, 200] * 25
        assert not host.release.is_set()


def test_the_lifespan_state_is_handed_on(host: BlockingHost) -> None:
    """What the application puts into its lifespan's state is in the state of its requests."""
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: status_of(client, "/") == 200)
        assert client.get("/").text == "hello"


def test_the_lifespan_state_needs_no_support_by_the_server(host: BlockingHost) -> None:
    """The state is handed on under a server that knows of none."""
    host.release.set()
    gate = ReadinessGate(application(host), host)
    bodies: list[bytes] = []

    async def send(message: Any) -> None:
        bodies.append(message.get("body", b""))

    async def serve() -> None:
        events: asyncio.Queue[Any] = asyncio.Queue()
        events.put_nowait({"type": "lifespan.startup"})
        lifespan = asyncio.create_task(gate({"type": "lifespan"}, events.get, send))
        while "request" not in host.log:
            await asyncio.sleep(0.01)
            await gate({"type": "http", "method": "GET", "path": "/"}, events.get, send)
        events.put_nowait({"type": "lifespan.shutdown"})
        await lifespan

    asyncio.run(asyncio.wait_for(serve(), PATIENCE))
    assert b"hello" in bodies


def test_shutdown_goes_the_other_way_round(host: BlockingHost) -> None:
    """The application is shut down before the host is stopped."""
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200)
    assert host.log == ["host started", "application started", "application stopped", "host stopped"]


def test_a_server_that_stops_while_the_host_waits_starts_nothing_more(
    host: BlockingHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shutdown does not sit out the wait of a host; what that starts afterwards is stopped again."""
    monkeypatch.setattr("corehost.web.startup.GRACE", 10 * PATIENCE)
    with uvicorn_server(ReadinessGate(application(host), host)):
        assert host.running.wait(PATIENCE)
        host.say(state="waiting")
    assert host.log == []
    host.release.set()
    wait_until(lambda: host.log == ["host started", "host stopped"])


def test_an_application_without_lifespan_works(host: BlockingHost) -> None:
    """An application that raises on the lifespan scope is served once the pass is done."""
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host, lifespan=False), host)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/").text == "no state"


def test_an_application_that_takes_every_scope_for_a_request_works(host: BlockingHost) -> None:
    """An application that answers the lifespan as if it were a request counts as one without."""
    host.release.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whatever"})

    with uvicorn_server(ReadinessGate(app, host)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/").text == "whatever"


def test_an_application_that_raises_in_its_startup_is_not_served(host: BlockingHost) -> None:
    """Raising after the start-up event was asked for is a failed start-up, and tells no details."""
    host.release.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no luck with postgresql://me:hunter2@db/shop")

    with uvicorn_server(ReadinessGate(app, host)) as client:
        response = wait_until(lambda: (r := client.get("/readyz")).json()["state"] == "failed" and r)
        assert response.status_code == 503
        assert response.json()["message"] == "the application's own start-up failed; the log has the reason"
        assert status_of(client, "/") == 503


def test_a_failed_shutdown_of_the_application_still_stops_the_host(host: BlockingHost) -> None:
    """An application that fails to shut down does not keep the host from its own shutdown."""
    host.release.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise RuntimeError("cannot let go")

    with uvicorn_server(ReadinessGate(app, host)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200)
    assert host.log == ["host started", "host stopped"]


def test_a_migration_that_fails_is_tried_again() -> None:
    """After two failures the third pass opens the gate."""
    host = BlockingHost(MigrationError("a table is in the way"), MigrationError("still there"))
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: status_of(client, "/orders") == 200)
    assert host.starts == 3


def test_a_failure_shows_neither_secret_nor_traceback() -> None:
    """A body names the failure without connection strings, passwords and tracebacks."""
    host = BlockingHost(
        ConfigurationError(
            "cannot use postgresql://me:hunter2@db/shop nor password = 'hunter2 again'\n"
            "Traceback (most recent call last): secrets.py"
        ),
        told=True,
    )
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: client.get("/health").json()["state"] == "failed")
        for path in ("/health", "/readyz", "/orders"):
            text = client.get(path).text
            assert "cannot use ***" in text
            assert "hunter2" not in text
            assert "Traceback" not in text


def test_a_host_that_loses_readiness_keeps_its_traffic(host: BlockingHost) -> None:
    """Once open the gate stays open: the readiness endpoint alone says that no more should come."""
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: status_of(client, "/orders") == 200)
        host.say(ready=False, state="degraded")
        assert status_of(client, "/readyz") == 503
        assert status_of(client, "/orders") == 200


def test_a_path_that_is_none_belongs_to_the_application(host: BlockingHost) -> None:
    """A health path that is switched off is gated like any other, then the application's."""
    with uvicorn_server(ReadinessGate(application(host), host, live=None)) as client:
        assert status_of(client, "/livez") == 503
        host.release.set()
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/livez").text == "hello"


def test_the_endpoints_are_found_below_a_root_path(host: BlockingHost) -> None:
    """A server that mounts the application under a prefix does not hide the endpoints."""
    with uvicorn_server(ReadinessGate(application(host), host), root_path="/shop") as client:
        assert status_of(client, "/livez") == 200


def test_a_path_without_a_slash_is_refused(host: BlockingHost) -> None:
    """A path that no request can have is an error at construction."""
    with pytest.raises(ConfigurationError, match="'readyz' does not begin with a slash"):
        ReadinessGate(application(host), host, ready="readyz")


def test_a_websocket_is_denied_with_the_same_503(host: BlockingHost) -> None:
    """Where the server offers the denial response, a WebSocket gets the 503 and its Retry-After."""
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        url = f"ws://{client.base_url.netloc.decode()}/feed"
        with pytest.raises(websockets.InvalidStatus) as caught:
            connect(url)
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "1"


def test_a_websocket_is_closed_before_accept_without_the_extension(host: BlockingHost) -> None:
    """Without the denial response a WebSocket is closed and never accepted."""
    gate = ReadinessGate(application(host), host)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(gate({"type": "websocket", "path": "/feed"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1013}]


def test_a_websocket_passes_once_ready(host: BlockingHost) -> None:
    """An open gate lets WebSockets through to the application."""
    host.release.set()
    with uvicorn_server(ReadinessGate(application(host), host)) as client:
        wait_until(lambda: status_of(client, "/readyz") == 200)
        with connect(f"ws://{client.base_url.netloc.decode()}/feed") as socket:
            assert socket.response is not None
            assert socket.response.status_code == 101


def test_without_a_lifespan_the_first_request_starts_the_pass(host: BlockingHost) -> None:
    """Under a server that plays no lifespan the first request begins the pass."""
    host.release.set()
    gate = ReadinessGate(application(host), host)
    with uvicorn_server(gate, lifespan="off") as client:
        assert host.starts == 0
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/").text == "no state"
