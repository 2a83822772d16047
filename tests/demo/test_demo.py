"""A demo that goes well: a real process, without a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from corehost.core.settings import Settings
from corehost.installation import Installation
from support.processes import Finished, Processes

from .conftest import PATIENCE, Place, temporary_place


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """An empty folder for the one demo that all tests look at."""
    with temporary_place() as place:
        yield place


@pytest.fixture(scope="module")
def over(place: Place) -> Iterator[Finished]:
    """A demo of three instances a phase, at its end."""
    with Processes() as processes:
        demo = processes.corehost("demo", "--instances", "3", extra=place.environment)
        yield demo.wait(PATIENCE)


def test_it_goes_through_three_phases(over: Finished) -> None:
    """An empty database, nothing to do, and a newer plugin, each told to its end; the exit code is 0."""
    ends = re.findall(r"^  [\d.]+ s: (.*)$", over.stdout, re.MULTILINE)
    installed = sum(len(tree.revisions) for tree in Installation(Settings()).graph.trees.values())
    assert ends == [
        f"{installed} of {installed} steps applied, 3 of 3 instances ready",
        "nothing to apply, 3 of 3 instances ready",
        "1 of 1 steps applied, 3 of 3 instances ready",
    ]
    assert (over.returncode, over.stderr) == (0, "")


def test_every_instance_says_503_until_it_is_ready(over: Finished) -> None:
    """Each of the three instances of each of the three phases said 503 at least once, then 200."""
    assert len(re.findall(r"instance \d is ready: .* said [1-9]\d* x 503, then 200$", over.stdout, re.M)) == 9


def test_it_shows_the_history(over: Finished) -> None:
    """The ledger has every installed revision once, and the newer plugin's one of the third phase."""
    lines = re.findall(r"^  ([13]) +[\d:.]+ +(\w+) +(\w+) +([\d.]+) +[123] +\d+$", over.stdout, re.MULTILINE)
    trees = Installation(Settings()).graph.trees
    expected = {
        ("1", name, revision, tree.branch.origin.version)
        for name, tree in trees.items()
        for revision in tree.revisions
    }
    assert set(lines) == expected | {("3", "search", "c4e81f9a6d27", "1.1.0")}
    assert len(lines) == len(expected) + 1


def test_it_says_what_each_phase_took(over: Finished) -> None:
    """A line for each phase with its times, its steps and how many instances applied them."""
    lines = re.findall(
        r"^  \d  (.*?) +[\d.]+ s +[\d.]+ s +(\d+)  (\d of 3|nobody) +[\d.]+ s$",
        over.stdout,
        re.MULTILINE,
    )
    assert [name for name, _, _ in lines] == ["empty database", "nothing to do", "search 1.1.0"]
    assert [steps for _, steps, _ in lines][1:] == ["0", "1"]
    assert [workers for _, _, workers in lines][1:] == ["nobody", "1 of 3"]


def test_it_leaves_nothing(over: Finished, place: Place) -> None:
    """No process and no file outlives it."""
    assert place.processes() == []
    assert place.files() == []
