"""An application that knows nothing of corehost: ``corehost run`` migrates before it starts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import psycopg


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The e-mail addresses of all users, whatever is asked for."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        emails = [email for (email,) in connection.execute("SELECT email FROM accounts.users ORDER BY email")]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(emails).encode()]
