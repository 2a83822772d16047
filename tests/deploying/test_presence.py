"""Who is present, as real processes: contract steps wait for them, and for nobody who is gone."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from corehost.core.namespace import presence_key
from support.cluster import Cluster
from support.instances import NO_DELAY, end, presences, serve, serving, stop
from support.packages import revision_source
from support.pooler import Pooler
from support.processes import Processes, wait_until
from support.releases import CONTRACT, V1, V2, V3, Deploy
from support.shop import Shop

ROWS = "SELECT version_num FROM orders.alembic_version ORDER BY 1"


def test_a_contract_step_waits_for_an_instance_that_lacks_it_and_for_none_that_is_gone(
    deploy: Deploy,
) -> None:
    """Killed, it is gone at once; until then 'migrate --contract' leaves the step alone too, with 3."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance = serving(old)
    waiting = new.run("migrate", "--json", extra=NO_DELAY)
    assert (waiting.returncode, waiting.json()["ready"]) == (0, True)
    (held,) = waiting.json()["deferred"]
    assert held["reason"].startswith("waits for orders 1.0 at ")
    assert held["reason"].endswith(f":{instance.pid}")
    assert new.run("migrate", "--contract").returncode == 3
    end(instance, old)
    assert new.run("migrate", extra=NO_DELAY).returncode == 0
    assert new.execute(ROWS) == [("o3",)]


def test_a_new_instance_runs_it_when_the_last_old_one_has_left(deploy: Deploy) -> None:
    """In the background of one that serves, which stays ready throughout."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance = serving(old)
    successor = serving(new)
    assert new.execute(ROWS) == [("o2",)]
    end(instance, old)
    wait_until(lambda: new.execute(ROWS) == [("o3",)])
    assert successor.stdout == "ready 200 \n"


def test_status_lists_who_is_present_with_versions_and_who_is_waited_for(deploy: Deploy) -> None:
    """Those that serve, of any version."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance, successor = serving(old), serving(new)
    document = new.run("status", "--json").json()
    found = {(one["pid"], one["branches"]["orders"]) for one in document["instances"]}
    assert found == {(instance.pid, "1.0"), (successor.pid, "3.0")}
    assert f":{instance.pid}" in new.run("status").stdout
    assert "orders: o3 waits for orders 1.0 at " in new.run("status").stdout


def test_an_instance_that_is_stopped_is_still_there(deploy: Deploy) -> None:
    """It may wake up and serve: SIGSTOP keeps its presence."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance = serving(old)
    stop(instance)
    assert new.run("migrate", "--contract").returncode == 3


def test_an_instance_of_unknown_code_is_waited_for(deploy: Deploy) -> None:
    """Nobody knows what it needs."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    with psycopg.connect(old.database, autocommit=True, application_name="stranger") as stranger:
        stranger.execute("SELECT pg_advisory_lock_shared(%s, %s)", presence_key("fedcba987654"))
        finished = new.run("migrate", extra=NO_DELAY)
        assert "o3 waits for stranger, whose code nobody knows" in finished.stdout
    assert new.run("migrate", extra=NO_DELAY).returncode == 0
    assert new.execute(ROWS) == [("o3",)]


def test_an_old_instance_that_starts_while_a_contract_step_is_run_does_not_slip_through(
    deploy: Deploy, tmp_path: Path
) -> None:
    """It is present, and waits; then it finds what was done, and says what it needs, before any traffic."""
    flag = tmp_path / "flag"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.01)\n"
    slow = {"o3": revision_source("o3", "o2", upgrade=waits + CONTRACT, phase="contract")}
    old, new = deploy("1.0", V1), deploy("3.0", V2 | slow)
    assert old.run("migrate").returncode == 0
    migrating = new.start("migrate", extra=NO_DELAY)
    migrating.wait_for_output("o3 started")
    instance = serve(old)
    wait_until(lambda: presences(old))
    flag.touch()
    assert migrating.wait().returncode == 0
    refused = instance.wait()
    assert refused.returncode == 5
    assert refused.stdout.startswith("the database has o3 of orders 3.0, a contract step")


def test_an_instance_whose_session_is_ended_is_present_again_at_once(deploy: Deploy) -> None:
    """It is degraded for a moment, and its requests go on."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance = serving(old)
    (session,) = presences(old)
    old.execute(f"SELECT pg_terminate_backend({session})")
    wait_until(lambda: presences(old) not in ([], [session]))
    instance.wait_for_output("degraded 200 the session that shows this instance to others has ended")
    assert new.run("migrate", "--contract").returncode == 3
    wait_until(lambda: instance.stdout.endswith("ready 200 \n"))


def test_an_instance_that_slept_through_a_contract_step_does_not_go_on(deploy: Deploy) -> None:
    """Its session was ended while it was stopped: when it wakes up it judges the state again."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    instance = serving(old)
    stop(instance)
    (session,) = presences(old)
    old.execute(f"SELECT pg_terminate_backend({session})")
    wait_until(lambda: not presences(old))
    assert new.run("migrate", "--contract").returncode == 0
    instance.send(signal.SIGCONT)
    instance.wait_for_output("failed 503 the database has o3 of orders 3.0, a contract step")


def test_an_instance_behind_a_transaction_pooler_cannot_be_seen(deploy: Deploy, database: str) -> None:
    """It serves, with a warning; newer code leaves the contract step to an operator."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    with Pooler(database, "transaction") as pooler:
        instance = serving(old, database=pooler.url)
        assert "this instance cannot be seen by others" in instance.stderr
        assert presences(old) == []
        finished = new.run("migrate", extra=NO_DELAY)
        assert "o3 is left to 'corehost migrate --contract', since instances of orders 1.0" in finished.stdout
    assert new.run("migrate", "--contract").returncode == 0


def test_an_instance_without_presence_leaves_contract_steps_to_an_operator(deploy: Deploy) -> None:
    """It says so in the ledger, for newer code that has its presence on."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    serving(old, extra={"COREHOST_PRESENCE": "off"})
    assert presences(old) == []
    finished = new.run("migrate", extra=NO_DELAY)
    assert "o3 is left to 'corehost migrate --contract', since instances of orders 1.0" in finished.stdout


@pytest.mark.parametrize("options", [[], ["--health-port", "0"]])
def test_the_presence_of_run_lives_as_long_as_its_command(deploy: Deploy, options: list[str]) -> None:
    """In corehost's place, or as its child."""
    old = deploy("1.0", V1)
    running = old.start("run", *options, "--", "sh", "-c", "echo under way; exec sleep 1000")
    running.wait_for_output("under way")
    assert len(presences(old)) == 1
    running.send(signal.SIGTERM)
    running.wait()
    wait_until(lambda: not presences(old))


def test_an_instance_holds_one_lock_however_many_branches_it_has(shop: Shop, processes: Processes) -> None:
    """The server's lock table is small: 64 instances of 500 branches must fit."""
    for number in range(20):
        shop.install(f"p{number}")
    serving(shop)
    assert len(presences(shop)) == 1
    assert shop.advisory_locks() == 1


def test_an_instance_on_a_hot_standby_cannot_be_seen(deploy: Deploy, bindir: Path) -> None:
    """Its locks stay on the standby: it serves, with a warning."""
    old = deploy("1.0", V1)
    with Cluster(bindir) as primary, primary.standby() as standby:
        assert old.run("migrate", database=primary.url).returncode == 0
        with psycopg.connect(primary.url, autocommit=True) as here:
            ((written,),) = here.execute("SELECT pg_current_wal_lsn()")
        with psycopg.connect(standby.url, autocommit=True) as there:
            replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            wait_until(lambda: there.execute(replayed, [written]).fetchone() == (True,))
        instance = serving(old, database=standby.url)
        assert "this instance cannot be seen by others: a hot standby" in instance.stderr
