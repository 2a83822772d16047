"""The console inside real servers with one worker each: who watches keeps nobody else waiting."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from support.processes import PATIENCE, Processes, wait_until
from support.web_servers import Kind, WebServer, serve

ONE_WORKER = {
    "uvicorn": [],
    "gunicorn": ["--workers=1", "--threads=1", "--worker-class=sync"],
}
APPLICATION = """
import corehost
from corehost import asgi, wsgi

async def application(scope, receive, send):
    raise AssertionError

host = corehost.Host.from_config(allow_empty=True)
uvicorn = asgi.ReadinessGate(application, host, console="/corehost")
gunicorn = wsgi.ReadinessGate(application, host, console="/corehost")
"""


@pytest.mark.parametrize("kind", ONE_WORKER)
def test_others_are_served_while_somebody_watches(
    processes: Processes, site: Path, database: str, kind: Kind
) -> None:
    """With the page's events open, or asked for, the only worker goes on answering others."""
    (site / "watched.py").write_text(APPLICATION)
    server = serve(
        processes,
        kind,
        1,
        target=f"watched:{kind}",
        database=database,
        path=[site],
        options=ONE_WORKER[kind],
    )
    wait_until(lambda: _is_alive(server))
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}/corehost/", timeout=PATIENCE) as browser,
        browser.stream("GET", "events") as events,
    ):
        lines = events.iter_lines()
        assert any(line == "event: change" for line in lines)
        assert _is_alive(server)
        assert server.get("/corehost/")[0] == 200


def _is_alive(server: WebServer) -> bool:
    try:
        return server.get("/livez")[0] == 200
    except OSError:
        return False
