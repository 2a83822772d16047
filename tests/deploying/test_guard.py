"""on_destructive = "refuse": nothing that drops or narrows data is run unless somebody says so."""

from __future__ import annotations

import psycopg

from corehost.core.namespace import lock_key
from support.packages import revision_source
from support.releases import CONTRACT, V2, Deploy
from support.shop import Shop

REFUSE = {"COREHOST_ON_DESTRUCTIVE": "refuse"}
DROPPING = V2 | {"o3": revision_source("o3", "o2", upgrade=CONTRACT)}


def test_what_would_drop_data_is_refused_and_let_through_when_allowed(deploy: Deploy) -> None:
    """Exit 5 with its name before anything is run, what precedes it included; then all of it."""
    one = deploy("3.0", DROPPING)
    refused = one.run("migrate", "--json", extra=REFUSE)
    error = refused.json()["error"]
    assert (refused.returncode, error["code"], error["revision"]) == (5, "destructive", "o3")
    assert "orders@o3 would drop or narrow data" in error["message"]
    assert not one.has_table("orders.orders")
    assert one.run("migrate", "--allow-destructive", extra=REFUSE).returncode == 0
    assert one.execute("SELECT version_num FROM orders.alembic_version") == [("o3",)]


def test_a_script_is_guarded_as_a_pass_is(deploy: Deploy) -> None:
    """Nobody gets a script that drops data, who has not said that he wants one."""
    one = deploy("3.0", DROPPING)
    assert one.run("migrate", "--sql", "--json", extra=REFUSE).json()["error"]["code"] == "destructive"
    script = one.run("migrate", "--sql", "--allow-destructive", extra=REFUSE).stdout
    assert "DROP COLUMN note" in script


def test_what_drops_nothing_is_run(deploy: Deploy) -> None:
    """The setting costs nobody else anything."""
    assert deploy("2.0", V2).run("migrate", extra=REFUSE).returncode == 0


def test_a_background_step_is_guarded_as_well(deploy: Deploy) -> None:
    """An instance does not run it behind everybody's back; an operator who allows it does."""
    old = deploy("1.0", V2)
    assert old.run("migrate", extra=REFUSE).returncode == 0
    new = deploy("3.0", V2 | {"o3": revision_source("o3", "o2", upgrade=CONTRACT, blocking=False)})
    ended = new.run("migrate", "--background", extra=REFUSE)
    assert ended.returncode == 0, ended.stderr
    assert "orders@o3 is left to 'corehost migrate --background --allow-destructive'" in ended.stdout
    assert new.execute("SELECT version_num FROM orders.alembic_version") == [("o2",)]
    assert new.run("check", extra=REFUSE).returncode == 0
    assert new.run("migrate", "--background", "--allow-destructive", extra=REFUSE).returncode == 0
    assert new.execute("SELECT version_num FROM orders.alembic_version") == [("o3",)]


def test_whoever_may_not_waits_while_somebody_who_may_is_at_it(shop: Shop) -> None:
    """An instance that starts beside 'migrate --allow-destructive' is refused only once that has given up."""
    shop.install("orders", DROPPING)
    shop.install("attic")
    with psycopg.connect(shop.database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        started = shop.start("migrate", extra=REFUSE)
        started.wait_for_output("waiting for")
        assert started.running
    assert started.wait().returncode == 5
