"""The ASGI gate with real frameworks, around them and in their add_middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from corehost.asgi import ReadinessGate
from support.processes import PATIENCE, wait_until
from support.serving import BlockingHost, status_of, uvicorn_server

Lifespan = Callable[[Any], Any]


def starlette(lifespan: Lifespan) -> Starlette:
    """A Starlette application that answers with what its lifespan put into the state."""

    async def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.state.greeting)

    return Starlette(routes=[Route("/hello", hello)], lifespan=lifespan)


def fastapi(lifespan: Lifespan) -> FastAPI:
    """The same as a FastAPI application."""
    app = FastAPI(lifespan=lifespan)

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.greeting)

    app.get("/hello")(hello)
    return app


def around(app: Any, host: BlockingHost) -> Any:
    """The gate around the application."""
    return ReadinessGate(app, host)


def inside(app: Any, host: BlockingHost) -> Any:
    """The gate as a middleware of the application."""
    app.add_middleware(ReadinessGate, host=host)
    return app


frameworks = pytest.mark.parametrize("make", [starlette, fastapi])
places = pytest.mark.parametrize("place", [around, inside])


@frameworks
@places
def test_a_framework_starts_after_the_pass_and_stops_before_the_host(
    host: BlockingHost, make: Callable[[Lifespan], Any], place: Callable[[Any, BlockingHost], Any]
) -> None:
    """The framework's lifespan lies within the host's, its state reaches requests, and none comes early."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        host.log.append("application started")
        yield {"greeting": "hello"}
        host.log.append("application stopped")

    with uvicorn_server(place(make(lifespan), host)) as client:
        assert host.running.wait(PATIENCE)
        assert status_of(client, "/hello") == 503
        host.release.set()
        wait_until(lambda: status_of(client, "/readyz") == 200)
        assert client.get("/hello").text == "hello"
    assert host.log == ["host started", "application started", "application stopped", "host stopped"]


@frameworks
@places
def test_a_frameworks_failing_lifespan_is_a_failed_readiness(
    host: BlockingHost, make: Callable[[Lifespan], Any], place: Callable[[Any, BlockingHost], Any]
) -> None:
    """A lifespan that raises leaves the port open, the readiness failed, and its traceback in the log."""
    host.release.set()

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        raise RuntimeError("the cache at redis://:hunter2@cache is away")
        yield

    with uvicorn_server(place(make(lifespan), host)) as client:
        wait_until(lambda: client.get("/health").json()["state"] == "failed")
        response = client.get("/hello")
        assert response.status_code == 503
        assert "hunter2" not in response.text
        assert "Traceback" not in response.text
        assert status_of(client, "/livez") == 200
