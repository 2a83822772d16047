"""gunicorn's settings in the tests, as a host should have them."""

from __future__ import annotations

from typing import Any

from corehost.wsgi import ReadinessGate

workers = 2
threads = 4
preload_app = True  # the gate is made once, before the workers are forked
control_socket_disable = True  # its default name is one for all gunicorns of a user


def post_worker_init(worker: Any) -> None:
    """Begin the pass before the first request."""
    if isinstance(worker.wsgi, ReadinessGate):
        worker.wsgi.start()
