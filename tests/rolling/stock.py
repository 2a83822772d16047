"""What most applications do without a host runtime: ``alembic upgrade heads`` at start-up, then serve.

Under a blocking advisory lock, as those that had races write it by hand.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

_LOCK = 20261126
_TREES = {"core": "rolling_shop", "loyalty": "rolling_loyalty"}


def upgrade(url: str) -> None:
    """Upgrade every tree to its heads; raises what Alembic raises."""
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    with engine.connect() as lock:
        lock.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK})")
        lock.commit()
        for schema, package in _TREES.items():
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                connection.exec_driver_sql(f"SET search_path = {schema}, public")
                _upgrade(connection, schema, package)
        lock.exec_driver_sql(f"SELECT pg_advisory_unlock({_LOCK})")
        lock.commit()
    engine.dispose()


def _upgrade(connection: sa.Connection, schema: str, package: str) -> None:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "migrations"
    config = Config()
    config.set_main_option("script_location", str(folder))
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(
        config, scripts, fn=lambda rev, _: scripts._upgrade_revs("heads", rev), destination_rev="heads"
    ) as environment:
        environment.configure(connection=connection, version_table_schema=schema)
        with environment.begin_transaction():
            environment.run_migrations()


class AlwaysReady:
    """Says that it is ready as soon as it is asked: the server listens only after the upgrade."""

    def __init__(self, app: Any):
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] == "/readyz":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b'{"ready": true, "state": "ready"}'})
        else:
            await self._app(scope, receive, send)
