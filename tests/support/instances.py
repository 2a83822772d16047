"""An instance that serves, as a process: it prints each state that its probes show."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Any

import psycopg

from corehost.core.namespace import PRESENCE_TAG
from support.processes import Process, wait_until
from support.shop import Shop

NO_DELAY = {"COREHOST_CONTRACT_DELAY": "0s"}
_CODE = """
import sys, time
import corehost
host = corehost.Host.from_config()
last = None
try:
    host.start()
except corehost.MigrationError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
while True:
    readiness = host.readiness()
    now = readiness.state, readiness.ready, readiness.state == "degraded" and readiness.message
    if now != last:
        last = now
        code = "200" if readiness.ready else "503"
        print(readiness.state, code, readiness.message or "", flush=True)
    time.sleep(0.02)
"""
_PRESENT = f"""
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND classid::bigint >> 16 = {PRESENCE_TAG}
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid
"""


def serve(shop: Shop, *, extra: Mapping[str, str] | None = None, **options: Any) -> Process:
    """Start an instance, whatever becomes of it."""
    return shop.start(program=[sys.executable, "-c", _CODE], extra=NO_DELAY | dict(extra or {}), **options)


def serving(shop: Shop, **options: Any) -> Process:
    """Start an instance, and wait until it is ready."""
    instance = serve(shop, **options)
    instance.wait_for_output("ready 200")
    return instance


def presences(shop: Shop) -> list[int]:
    """The sessions that hold a presence in the shop's database."""
    with psycopg.connect(shop.database, autocommit=True) as connection:
        return [pid for (pid,) in connection.execute(_PRESENT)]


def end(instance: Process, shop: Shop) -> None:
    """kill -9; returns when the server knows."""
    number = len(presences(shop))
    instance.kill()
    wait_until(lambda: len(presences(shop)) < number)


def stop(instance: Process) -> None:
    """SIGSTOP."""
    instance.send(signal.SIGSTOP)
