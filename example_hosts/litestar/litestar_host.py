"""Litestar behind the gate: ``uvicorn litestar_host:app``, with DATABASE_URL in the environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from corehost_example_accounts.models import User
from litestar import Litestar, get
from litestar.datastructures import State
from sqlalchemy import create_engine, select

from corehost import Host
from corehost.asgi import ReadinessGate


@asynccontextmanager
async def lifespan(litestar: Litestar) -> AsyncIterator[None]:
    """Begin after the pass: what is opened here may count on every table."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(os.environ["DATABASE_URL"])
    )
    litestar.state.engine = engine
    yield
    engine.dispose()


@get("/users", sync_to_thread=True)
def users(state: State) -> list[str]:
    """The e-mail addresses of all users."""
    with state.engine.connect() as connection:
        return list(connection.scalars(select(User.email).order_by(User.email)))


app = ReadinessGate(Litestar([users], lifespan=[lifespan]), Host.from_config())
