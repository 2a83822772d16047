"""gunicorn reads this file from the working folder."""

from __future__ import annotations

from typing import Any

workers = 4
threads = 2
# The gate is made once, before the workers are forked: they take turns at the pass, and one makes it.
preload_app = True


def post_worker_init(worker: Any) -> None:
    """Begin the pass before the first request comes; returns at once."""
    from flask_host import gate

    gate.start()
