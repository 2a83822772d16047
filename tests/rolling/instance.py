"""One instance: a real process with a real web server, forked from one that has the libraries loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from support.packages import OWN_GROUP

Kind = Literal["corehost", "alembic"]

SETTINGS: Mapping[str, Any] = {
    "core": "rolling_shop:migrations",
    "plugin_groups": [OWN_GROUP],
    "migration_groups": ["tests.migrations"],
    "wait_timeout": "40s",
    "holder_idle_timeout": "2s",
    "contract_delay": "200ms",
    "lock_timeout": "300ms",  # below deadlock_timeout: a step gives way, not a client
}
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["corehost.asgi", "corehost.host", "corehost.alembic.runner", "uvicorn"])


class Instance:
    """A server of one release on a Unix socket."""

    def __init__(self, name: str, release: int, *, site: Path, url: str, folder: Path, kind: Kind):
        self.name = name
        self.release = release
        self.socket = folder / f"{name}.sock"
        """Where it listens."""
        arguments = (str(site), url, str(self.socket), kind, str(folder / f"{name}.log"))
        self._process: BaseProcess = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, where it runs."""
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        self._process.join(seconds)
        return not self._process.is_alive()


def _serve(site: str, url: str, socket: str, kind: Kind, log: str) -> None:
    """The process: what ``corehost``'s gate, or stock Alembic before the server, make of a release."""
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.path.insert(0, site)
    import uvicorn
    from rolling_shop.app import Application

    app: Any = Application(url)
    if kind == "corehost":
        from corehost import Host, asgi

        app = asgi.ReadinessGate(app, Host.from_config(database_url=url, **SETTINGS))
    else:
        from rolling.stock import AlwaysReady, upgrade

        upgrade(url)
        app = AlwaysReady(app)
    uvicorn.run(app, uds=socket, lifespan="auto", log_level="warning", timeout_graceful_shutdown=10)
