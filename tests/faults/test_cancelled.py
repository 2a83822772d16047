"""Somebody cancels a statement of corehost's own, outside of any revision."""

from __future__ import annotations

import psycopg
import pytest

from support.processes import wait_until
from support.shop import Shop

BLOCKED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'corehost%' AND wait_event_type = 'Lock'"""


@pytest.mark.parametrize("command", ["migrate", "wait"])
def test_a_look_that_was_cancelled_is_repeated(command: str, shop: Shop) -> None:
    """pg_cancel_backend while the ledger is read fails nothing: the same process looks again, and goes on."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    with psycopg.connect(shop.database) as connection:
        connection.execute("LOCK TABLE corehost.step IN ACCESS EXCLUSIVE MODE")
        looking = shop.start(command)
        ((pid,),) = wait_until(lambda: shop.execute(BLOCKED))
        shop.execute(f"SELECT pg_cancel_backend({pid})")
        wait_until(lambda: shop.execute(BLOCKED) not in ([], [(pid,)]))
    finished = looking.wait()
    assert finished.returncode == 0, finished.stderr
