"""An application as the tests' web servers run it: it reads the newest table, and knows no migration.

``SERVED_TABLE`` names the table, ``SERVED_SECONDS`` how long a request takes in the database.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import Any

import psycopg

from corehost import Host, asgi, wsgi

_QUERY = (
    f"SELECT count(*), pg_sleep({os.environ.get('SERVED_SECONDS', '0')}) FROM {os.environ['SERVED_TABLE']}"
)
_local = threading.local()


def read() -> bytes:
    """What the application has to say: it takes the newest table for granted."""
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["COREHOST_DATABASE_URL"], autocommit=True)
    ((rows, _),) = _local.connection.execute(_QUERY)
    return json.dumps({"rows": rows, "pid": os.getpid()}).encode()


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    """The application for ASGI, without a gate."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = await asyncio.to_thread(read)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """The application for WSGI, without a gate."""
    body = read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


host = Host.from_config()
asgi_app = asgi.ReadinessGate(bare_asgi, host)
wsgi_app = wsgi.ReadinessGate(bare_wsgi, host)
