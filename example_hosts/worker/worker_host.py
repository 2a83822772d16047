"""A worker without HTTP: ``python worker_host.py``, with DATABASE_URL in the environment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

import psycopg

import corehost

stopping = threading.Event()


def stop(number: int, frame: FrameType | None) -> None:
    """Finish what is at work, then end; a pass that runs is asked to end, too."""
    stopping.set()
    host.interrupt()


def work() -> None:
    """One round: say how many users there are."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        ((number,),) = connection.execute("SELECT count(*) FROM accounts.users")
    print(f"{number} users", flush=True)


if __name__ == "__main__":
    host = corehost.Host.from_config()
    signal.signal(signal.SIGTERM, stop)
    try:
        # Probes are answered from before the pass until after the shut-down hooks.
        with corehost.HealthServer(host, port=int(os.environ.get("HEALTH_PORT", "8081"))), host:
            while not stopping.wait(1):
                work()
    except corehost.CorehostError as error:
        sys.exit(f"worker_host: {error}")
