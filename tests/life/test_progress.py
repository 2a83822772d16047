"""How far a pass is, as other instances see it; on a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corehost.board import Board
from corehost.cli.commands.status import _as_dict
from corehost.core.instances import Instance, migrating
from corehost.core.plan import Step
from corehost.core.results import MigrationReport
from corehost.core.rows import Rows
from corehost.migrate import Observer, Several
from corehost.postgres.instances import read_instances, this_process, write_instance
from corehost.readiness import Look, look_around
from support.packages import create_table, revision_source
from support.passes import graph_of, run_pass, written_branch
from support.processes import wait_until
from support.shop import Shop

WORKS = """\
import pathlib
import time

import corehost

{create}
corehost.progress(400, 1000)
while not pathlib.Path({release!r}).exists():
    time.sleep(0.02)
"""


class Heard(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.holder: Instance | None = None
        self.rows: Rows | None = None

    def held_by(self, holder: Instance | None) -> None:
        self.holder = holder

    def progressed(self, step: Step, rows: Rows) -> None:
        self.rows = rows


class Running:
    """A pass on a thread."""

    def __init__(self, run: Callable[[], MigrationReport]):
        self.report: Any = None
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()

    def _run(self, run: Callable[[], MigrationReport]) -> None:
        self.report = run()

    def wait(self) -> MigrationReport:
        self._thread.join(60)
        assert isinstance(self.report, MigrationReport)
        return self.report


def looked(database: str, *branches: Any) -> Look:
    """What ``corehost status`` sees."""
    with psycopg.connect(database, autocommit=True) as connection:
        return look_around(connection, graph_of(*branches))


def test_a_waiting_instance_tells_how_far_the_holder_is(database: str, tmp_path: Path) -> None:
    """While one runs a step, the other knows its revision, step and rows; status too."""
    release = tmp_path / "release"
    work = WORKS.format(create=create_table("t"), release=str(release))
    branch = written_branch(tmp_path, "orders", {"1": revision_source("o1", upgrade=work)})
    working, waiting, probed = Heard(), Heard(), Board()
    holder = Running(lambda: run_pass(database, branch, observer=working))
    wait_until(lambda: working.rows)
    waiter = Running(lambda: run_pass(database, branch, observer=Several(probed, waiting)))
    heard = wait_until(lambda: waiting.holder)
    body = probed.readiness.as_dict()
    seen = wait_until(lambda: len((look := looked(database, branch)).instances) == 2 and look)
    release.touch()
    assert (holder.wait().ready, waiter.wait().ready) == (True, True)
    assert (body["state"], body["ready"]) == ("waiting", False)
    assert isinstance(body["holder"], dict)
    assert (body["holder"]["revision"], body["holder"]["rows_done"]) == ("o1", 400)
    assert working.rows == heard.rows == Rows(done=400, total=1000)
    assert (heard.branch, heard.revision, heard.step) == ("orders", "o1", heard.steps)
    assert sorted(one.state for one in seen.instances) == ["migrating", "waiting"]
    assert all(one.branches["orders"] == "1.0" for one in seen.instances)
    (waits,) = (one for one in seen.instances if one.state == "waiting")
    assert waits.message is not None
    assert "waiting for namespace 'orders'" in waits.message
    (status,) = (found for found in seen.branches if found.branch == "orders")
    progress = _as_dict(status, migrating(seen.instances).get("orders"))["progress"]
    assert isinstance(progress, dict)
    assert (progress["revision"], progress["rows_done"], progress["rows_total"]) == ("o1", 400, 1000)
    assert looked(database, branch).instances == ()


def test_a_quick_pass_writes_nothing(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a pass whose steps are quick nor one with nothing to do touches the table."""
    monkeypatch.setattr("corehost.migrate.beacon._TICK", 60.0)  # whatever the machine is at, that is quick
    run_pass(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE touched (how text)")
        connection.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO public.touched VALUES (TG_OP); RETURN NULL; END'"
        )
        connection.execute(
            "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON corehost.instance"
            " FOR EACH STATEMENT EXECUTE FUNCTION note()"
        )
        branch = written_branch(tmp_path, "orders", {"1": revision_source("o1")})
        assert len(run_pass(database, branch).applied) == 1
        assert run_pass(database, branch).applied == ()
        assert connection.execute("SELECT how FROM touched").fetchall() == []


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE corehost.instance",
        "ALTER TABLE corehost.instance ADD CHECK (false)",
        "ALTER TABLE corehost.instance RENAME COLUMN message TO text",
    ],
)
def test_a_table_that_cannot_be_written_stops_nobody(broken: str, database: str, tmp_path: Path) -> None:
    """A step that takes long is applied although nothing can be told of it, and a look works as well."""
    run_pass(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(broken)  # type: ignore[call-overload]
    work = "import time\ntime.sleep(1.3)"
    branch = written_branch(tmp_path, "orders", {"1": revision_source("o1", upgrade=work)})
    assert run_pass(database, branch).ready
    assert looked(database, branch).ready


def test_what_is_stale_is_neither_shown_nor_kept(database: str) -> None:
    """A row of an instance that has said nothing for half a minute is not read, and swept by the next."""
    run_pass(database)
    gone, here = (this_process(id=f"{n}0000000-0000-0000-0000-000000000000", state="waiting") for n in (1, 2))
    with psycopg.connect(database, autocommit=True) as connection:
        write_instance(connection, gone)
        connection.execute("UPDATE corehost.instance SET updated_at = now() - interval '31 s'")
        assert read_instances(connection) == ()
        write_instance(connection, here)
        rows = connection.execute("SELECT id::text FROM corehost.instance").fetchall()
    assert rows == [(here.id,)]


def test_the_command_line_shows_the_rows(shop: Shop) -> None:
    """Without a terminal a line says how far a step is that tells, and how far its holder is to who waits."""
    release = shop.folder / "release"
    work = WORKS.format(create=create_table("t"), release=str(release))
    shop.install("orders", {"o1": revision_source("o1", upgrade=work)})
    holder = shop.start("migrate")
    holder.wait_for_output("corehost: orders@o1 has done 400 of 1000 rows")
    waiter = shop.start("migrate")
    waiter.wait_for_output("400 of 1000 rows")
    release.touch()
    assert (holder.wait().returncode, waiter.wait().returncode) == (0, 0)
    assert ", at orders@o1, step " in waiter.stderr
