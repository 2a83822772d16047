"""Contract steps: held back while an older instance may be there, run when none is."""

from __future__ import annotations

import signal
import sys

from support.instances import end, serving
from support.packages import revision_source
from support.processes import wait_until
from support.releases import CONTRACT, EXPAND, V1, V2, V3, Deploy
from support.shop import Shop

NO_DELAY = {"COREHOST_CONTRACT_DELAY": "0s"}
SERVES = """
import signal
import corehost
signal.signal(signal.SIGTERM, lambda *_: None)
with corehost.Host.from_config():
    print("serves", flush=True)
    signal.pause()
"""
ROWS = "SELECT version_num FROM orders.alembic_version ORDER BY 1"


def orders(one: Shop) -> tuple[bool, str, list[str], list[str]]:
    """Ready, and of the branch orders state, pending and deferred, as status has them."""
    document = one.run("status", "--json").json()
    (found,) = (branch for branch in document["branches"] if branch["branch"] == "orders")
    return document["ready"], found["state"], found["pending"], found["deferred"]


def test_where_nobody_older_can_have_been_contract_steps_are_run_at_once(deploy: Deploy) -> None:
    """A fresh installation, broken off in its middle or not."""
    fails = V2 | {"o3": V3["o3"], "x": revision_source("x", "o3", upgrade="raise RuntimeError")}
    broken = deploy("3.0", fails)
    assert broken.run("migrate").returncode == 1
    assert broken.execute(ROWS) == [("o3",)]


def test_a_contract_step_waits_for_its_delay(deploy: Deploy) -> None:
    """The new code is ready meanwhile, for every command; --contract does not wait."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    finished = new.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    document = finished.json()
    assert ([one["revision"] for one in document["applied"]], document["ready"]) == (["o2"], True)
    ((branch, revision, reason),) = (tuple(one.values()) for one in document["deferred"])
    assert (branch, revision) == ("orders", "o3")
    assert reason.endswith("s more, as contract_delay says")
    assert new.run("check").returncode == 0
    assert new.run("wait", "--timeout", "0s").returncode == 0
    assert orders(new) == (True, "current", [], ["o3"])
    assert old.run("check").returncode == 0
    assert new.run("migrate", "--contract").returncode == 0
    assert new.execute(ROWS) == [("o3",)]
    assert old.run("check").returncode == 5


def test_the_delay_outlives_every_process(deploy: Deploy) -> None:
    """It is counted in the ledger: a later command runs what earlier ones held back."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    assert new.run("migrate").returncode == 0
    assert new.execute(ROWS) == [("o2",)]
    soon = {"COREHOST_CONTRACT_DELAY": "1s"}
    wait_until(lambda: new.run("migrate", extra=soon).returncode == 0 and new.execute(ROWS) == [("o3",)])


def test_without_a_delay_it_is_run_when_nobody_is_there(deploy: Deploy) -> None:
    """Old code has migrated, and no instance of it serves."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    assert new.run("migrate", extra=NO_DELAY).returncode == 0
    assert new.execute(ROWS) == [("o3",)]


def test_who_looks_whether_old_code_comes_is_not_taken_for_dead(deploy: Deploy) -> None:
    """The lock is kept for longer than holder_idle_timeout before a contract step."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    extra = NO_DELAY | {"COREHOST_HOLDER_IDLE_TIMEOUT": "1900ms", "COREHOST_PASS_TIMEOUT": "40s"}
    assert new.run("migrate", extra=extra).returncode == 0
    assert new.execute(ROWS) == [("o3",)]


def test_it_is_in_no_script(deploy: Deploy) -> None:
    """Nobody who runs one, at whatever time, would look whether old code is there."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    script = new.run("migrate", "--sql", extra=NO_DELAY).stdout
    assert "-- Held back: orders@o3 is left to 'corehost migrate --contract'" in script
    assert "ADD COLUMN remark" in script
    assert "DROP COLUMN" not in script


def test_left_to_an_operator_it_waits_for_him(deploy: Deploy) -> None:
    """By contract_steps, or by the presence that instances do not hold."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    for manual in ({"COREHOST_CONTRACT_STEPS": "manual"}, {"COREHOST_PRESENCE": "off"}):
        finished = new.run("migrate", extra=NO_DELAY | manual)
        assert "orders@o3 is left to 'corehost migrate --contract'" in finished.stdout
    assert new.run("migrate", "--contract", extra=manual).returncode == 0
    assert new.execute(ROWS) == [("o3",)]


def test_what_needs_a_contract_step_is_held_back_with_it(deploy: Deploy) -> None:
    """And a line of its own is not."""
    later = {
        "o4": revision_source("o4", "o3"),
        "line": revision_source("line", None, "o2"),
    }
    old, new = deploy("1.0", V1), deploy("4.0", V3 | later)
    assert old.run("migrate").returncode == 0
    assert new.run("migrate").returncode == 0
    assert orders(new) == (True, "current", [], ["o3", "o4"])
    assert new.execute(ROWS) == [("line",)]


def test_a_contract_step_is_no_background_step_whatever_its_file_says(deploy: Deploy) -> None:
    """It waits for the older instance that is there, while a real background step is run beside it."""
    steps = {
        "o2": revision_source("o2", "o1", upgrade=EXPAND, blocking=False),
        "gone": revision_source("gone", "o1", upgrade=CONTRACT, phase="contract", blocking=False),
    }
    old, new = deploy("1.0", V1), deploy("3.0", V1 | steps)
    instance = serving(old)
    ended = new.run("migrate", "--background", "--contract")
    assert ended.returncode == 3, ended.stderr
    assert new.execute(ROWS) == [("o2",)]
    end(instance, old)
    assert new.run("migrate", "--background", "--contract").returncode == 0
    assert new.execute(ROWS) == [("gone",), ("o2",)]


def test_the_delay_begins_when_the_last_older_instance_ends(deploy: Deploy) -> None:
    """Rolled back to for long, then replaced all at once: nobody has looked on, but the old one says it."""
    old, new = deploy("1.0", V1), deploy("3.0", V3)
    assert old.run("migrate").returncode == 0
    assert new.run("migrate").returncode == 0
    instance = old.start(program=[sys.executable, "-c", SERVES])
    instance.wait_for_output("serves")
    for table, columns in (("release", ("recorded_at", "seen_at")), ("revision", ("recorded_at",))):
        past = ", ".join(f"{column} = {column} - interval '2 h'" for column in columns)
        old.execute(f"UPDATE corehost.{table} SET {past}")
    instance.send(signal.SIGTERM)
    assert instance.wait().returncode == 0
    assert new.run("migrate").returncode == 0
    assert new.execute(ROWS) == [("o2",)]
