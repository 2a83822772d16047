"""What becomes of a server whose host cannot start; real servers in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from support.shop import Shop

APPLICATION = """\
import corehost
from corehost import asgi


async def pages(scope, receive, send):
    raise AssertionError("no request may come so far")


app = asgi.ReadinessGate(pages, corehost.Host.from_config())
"""
SCRIPT = """\
from wsgiref.simple_server import make_server

import corehost
from corehost import wsgi

gate = wsgi.ReadinessGate(lambda environ, start_response: [], corehost.Host.from_config())
gate.start()
make_server("127.0.0.1", 0, gate).serve_forever()
"""
WORKER = """\
import corehost
from corehost import wsgi

gate = wsgi.ReadinessGate(lambda environ, start_response: [], corehost.Host.from_config())
gate.start()
"""
PENDING = {"COREHOST_MODE": "check", "COREHOST_ON_FAILURE": "exit"}


def test_an_asgi_server_ends_with_the_code_of_the_failure(shop: Shop) -> None:
    """uvicorn shuts down well, its port closed and its lifespan over, and its process ends with 3."""
    shop.install("orders")
    (shop.folder / "application.py").write_text(APPLICATION)
    command: list[str | Path] = [sys.executable, "-m", "uvicorn", "application:app", "--port", "0"]
    finished = shop.run(program=command, extra=PENDING)
    assert finished.returncode == 3, finished.stderr
    assert "Waiting for application shutdown" in finished.stderr


def test_a_server_that_does_not_handle_sigterm_ends_as_well(shop: Shop) -> None:
    """A wsgiref server, which SIGTERM would just kill, ends with 3."""
    shop.install("orders")
    finished = shop.python(SCRIPT, extra=PENDING)
    assert finished.returncode == 3, finished.stderr


def test_a_worker_of_gunicorn_ends_with_the_code_of_the_failure(shop: Shop) -> None:
    """gunicorn lets the worker end, and goes itself with code 3, which it takes for a failed boot."""
    shop.install("orders")
    (shop.folder / "worker.py").write_text(WORKER)
    command: list[str | Path] = [sys.executable, "-m", "gunicorn", "worker:gate", "--bind", "127.0.0.1:0"]
    finished = shop.run("--workers=1", "--no-control-socket", program=command, extra=PENDING)
    assert finished.returncode == 3, finished.stderr
    assert "this process ends with exit code 3" in finished.stderr


def test_with_retry_a_server_waits_for_another_job(shop: Shop) -> None:
    """A start that found something pending is tried again, and recovers by itself when nothing is."""
    hook = '@corehost.hookimpl\ndef corehost_startup(host):\n    print("orders are open", flush=True)\n'
    shop.install("orders", hooks=hook)
    (shop.folder / "application.py").write_text(APPLICATION)
    command: list[str | Path] = [sys.executable, "-m", "uvicorn", "application:app", "--port", "0"]
    server = shop.start(program=command, extra={**PENDING, "COREHOST_ON_FAILURE": "retry"})
    server.wait_for_output("next try in")
    assert shop.run("migrate").returncode == 0
    server.wait_for_output("orders are open")
