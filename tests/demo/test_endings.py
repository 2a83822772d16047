"""Demos that end otherwise: nothing is left then either."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support.packages import revision_source, spec, write_plugin
from support.processes import Processes, wait_until

from .conftest import PATIENCE, Place


def test_a_revision_that_fails(processes: Processes, place: Place, site: Path) -> None:
    """The exit code is 1, and the reason is told: who failed, where, and why."""
    revisions = {"b1": revision_source("b1", upgrade='op.execute("SELECT 1 / 0")')}
    write_plugin(site, "broken", spec_source=spec("broken"), revisions=revisions)
    demo = processes.corehost("demo", "--instances", "2", path=[site], extra=place.environment)
    over = demo.wait(PATIENCE)
    assert over.returncode == 1
    assert "error: instance " in over.stderr
    assert "division by zero" in over.stderr
    assert "broken" in over.stderr
    assert (place.processes(), place.files()) == ([], [])


def test_without_the_example_plugins(processes: Processes, place: Place, site: Path) -> None:
    """The exit code is 2, with a hint how to install them, before a server is started."""
    # an installed package of the same name that is found first, and has no entry point
    write_plugin(site, "corehost_example_search", distribution="corehost-example-search")
    demo = processes.corehost("demo", path=[site], extra=place.environment)
    over = demo.wait(PATIENCE)
    assert (over.returncode, over.stdout) == (2, "")
    assert "the example plugins are not installed" in over.stderr
    assert "pip install ./example_plugins/*" in over.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(processes: Processes, place: Place, number: signal.Signals) -> None:
    """Ctrl-C gives 130, SIGTERM 143, in the middle of a phase; all that was started is gone by then."""
    demo = processes.corehost("demo", "--instances", "1", extra=place.environment)
    demo.wait_for_output("migrates accounts", PATIENCE)
    assert len(place.processes()) > 3
    demo.send(number)
    assert demo.wait(PATIENCE).returncode == 128 + number
    assert (place.processes(), place.files()) == ([], [])


def test_a_kill(processes: Processes, place: Place) -> None:
    """Killed in the middle of a phase, it takes instances and server with it."""
    demo = processes.corehost("demo", "--instances", "2", extra=place.environment)
    demo.wait_for_output("migrates accounts", PATIENCE)
    demo.kill()
    wait_until(lambda: not place.processes())


def test_keep(processes: Processes, place: Place) -> None:
    """With --keep the database is there until Ctrl-C, which is then the end of a demo that went well."""
    demo = processes.corehost("demo", "--instances", "1", "--keep", extra=place.environment)
    demo.wait_for_output("psql '", PATIENCE)
    url = demo.stdout.rpartition("psql '")[2].partition("'")[0]
    status = processes.run("status", "--database-url", url)
    demo.send(signal.SIGINT)
    assert demo.wait(PATIENCE).returncode == 0
    assert status.returncode == 0
    assert (place.processes(), place.files()) == ([], [])
