"""An instance whose presence is lost while the application's own connections go on."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.cluster import Cluster
from support.instances import presences, serving
from support.processes import wait_until
from support.releases import V1, V3, Deploy

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
