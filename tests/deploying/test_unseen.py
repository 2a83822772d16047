"""An instance whose presence is lost while the application's own connections go on."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from corehost.core.namespace import contract_key
from support.cluster import Cluster
from support.instances import presences, serving
from support.processes import wait_until
from support.releases import V1, V2, V3, Deploy

NO_OTHER = "has ended, and another cannot be had"


def test_an_instance_that_the_server_refuses_does_not_serve_unseen(deploy: Deploy, database: str) -> None:
    """Its role has no slot left, a contract step may be run beside it: 503 until it is present again."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    name = conninfo_to_dict(database)["dbname"]
    old.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{name}'")
    old.execute(f'ALTER DATABASE "{name}" OWNER TO "{name}"')
    instance = serving(old, database=make_conninfo(database, user=name, password=name))
    old.execute(f'ALTER ROLE "{name}" CONNECTION LIMIT 0')
    (session,) = presences(old)
    old.execute(f"SELECT pg_terminate_backend({session})")
    instance.wait_for_output(f"degraded 503 the session that shows this instance to others {NO_OTHER}")
    assert f'too many connections for role "{name}"' in instance.stdout
    old.execute(f'ALTER ROLE "{name}" CONNECTION LIMIT -1')
    wait_until(lambda: instance.stdout.endswith("ready 200 \n"))
    assert new.run("migrate", "--contract").returncode == 3


def test_an_instance_whose_own_way_to_the_database_is_cut_does_not_serve_unseen(
    deploy: Deploy, tmp_path: Path
) -> None:
    """The way that the application takes still leads there; back on its way it is ready again."""
    old = deploy("1.0", V1)
    way = tmp_path / "migration_url"
    way.write_text(old.database)
    instance = serving(old, extra={"COREHOST_MIGRATION_URL_FILE": str(way)})
    way.write_text("postgresql://nobody@127.0.0.1:1/nothing")
    (session,) = presences(old)
    old.execute(f"SELECT pg_terminate_backend({session})")
    instance.wait_for_output(f"degraded 503 the session that shows this instance to others {NO_OTHER}")
    way.write_text(old.database)
    wait_until(lambda: instance.stdout.endswith("ready 200 \n"))


def test_an_instance_that_comes_back_during_a_contract_step_does_not_serve(deploy: Deploy) -> None:
    """Whatever the step takes away: 503 until it has ended, and the state was judged."""
    old = deploy("1.0", V1)
    instance = serving(old)
    with psycopg.connect(old.database, autocommit=True) as contracting:
        contracting.execute("SELECT pg_advisory_lock(%s)", (contract_key("orders"),))
        (session,) = presences(old)
        old.execute(f"SELECT pg_terminate_backend({session})")
        instance.wait_for_output("has ended; waiting for a contract step")
    wait_until(lambda: instance.stdout.endswith("ready 200 \n"))
    assert "degraded 503 the session that shows this instance to others has ended; waiting" in instance.stdout


def test_an_instance_whose_database_goes_back_catches_up(deploy: Deploy) -> None:
    """After a failover to a standby that was behind it runs what is pending again, and serves then."""
    old = deploy("2.0", V2)
    instance = serving(old)
    old.execute("DELETE FROM corehost.step WHERE revision = 'o2'")
    old.execute("UPDATE corehost.branch SET heads = '{o1}' WHERE branch = 'orders'")
    old.execute("UPDATE orders.alembic_version SET version_num = 'o1'")
    old.execute("ALTER TABLE orders.orders DROP COLUMN remark")
    (session,) = presences(old)
    old.execute(f"SELECT pg_terminate_backend({session})")
    instance.wait_for_output(
        "degraded 503 the session that shows this instance to others has ended; something"
    )
    wait_until(lambda: instance.stdout.endswith("ready 200 \n"))
    assert old.execute("SELECT remark FROM orders.orders") == []


def test_an_instance_whose_database_is_away_goes_on(deploy: Deploy, bindir: Path) -> None:
    """Nothing that it serves reaches the database, and nobody changes that: 200 for as long as it takes."""
    old = deploy("1.0", V1)
    with Cluster(bindir) as cluster:
        instance = serving(old, database=cluster.url)
        cluster.control("stop")
        instance.wait_for_output(f"degraded 200 the session that shows this instance to others {NO_OTHER}")
        cluster.control("start")
        wait_until(lambda: instance.stdout.endswith("ready 200 \n"))
        assert " 503 " not in instance.stdout.partition("ready 200")[2]
