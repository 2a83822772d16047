"""FastAPI behind the gate: ``uvicorn fastapi_host:app``, with DATABASE_URL in the environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from corehost_example_accounts.models import User
from fastapi import FastAPI, Request
from sqlalchemy import Engine, create_engine, select

from corehost import Host
from corehost.asgi import ReadinessGate


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncIterator[dict[str, Engine]]:
    """Begin after the pass: what is opened here may count on every table."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(os.environ["DATABASE_URL"])
    )
    with engine.connect() as connection:
        connection.execute(select(User.id).limit(1))
    yield {"engine": engine}
    engine.dispose()


api = FastAPI(title="users", lifespan=lifespan)


@api.get("/users")
def users(request: Request) -> list[str]:
    """The e-mail addresses of all users."""
    engine: Engine = request.state.engine
    with engine.connect() as connection:
        return list(connection.scalars(select(User.email).order_by(User.email)))


app = ReadinessGate(api, Host.from_config())
