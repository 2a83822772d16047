"""Somebody cancels a statement of corehost's own, outside of any revision."""

from __future__ import annotations

import psycopg

from support.processes import wait_until
from support.shop import Shop

BLOCKED = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'corehost%' AND wait_event_type = 'Lock'"""


def test_a_look_that_was_cancelled_is_repeated(shop: Shop) -> None:
    """pg_cancel_backend while a pass reads the ledger fails nothing: the pass looks again, and goes on."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    shop.install("wiki")
    with psycopg.connect(shop.database) as connection:
        connection.execute("LOCK TABLE corehost.step IN ACCESS EXCLUSIVE MODE")
        migrating = shop.start("migrate")
        ((pid,),) = wait_until(lambda: shop.execute(BLOCKED))
        shop.execute(f"SELECT pg_cancel_backend({pid})")
        wait_until(lambda: shop.execute(BLOCKED) not in ([], [(pid,)]))
    finished = migrating.wait()
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table("wiki.wiki")
