"""What a start costs that finds nothing to do: beside the least that Python can do, and beside Alembic."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import psycopg

from benchmarks.cost import ROUNDS, Run, Sample, compared, run
from benchmarks.table import Goal, Table
from benchmarks.trees import CONTESTANTS, Tree, corehost, grow
from benchmarks.world import World

FLOOR = "psycopg: import, connect, one SELECT"


def measure(world: World) -> Table:
    """3,000 revisions in 50 branches and 100 in 10, everything applied."""
    large = grow(world.site(), revisions=3000, branches=50)
    small = grow(world.site(), revisions=100, branches=10)
    with world.database() as url, world.database() as other:
        stamp(large, url)
        stamp(small, other)
        found = compared(
            {
                FLOOR: floor(large, url),
                "corehost check, 3,000 revisions": check(large, url),
                "corehost check, 100 revisions": check(small, other),
                "corehost migrate, 3,000 revisions": check(large, url, "migrate"),
                "Alembic alone, 3,000 revisions": stock(large, url),
            }
        )
    goals = [
        goal(
            "3,000 revisions in 50 branches", found, "3,000 revisions", "Alembic alone, 3,000 revisions", 0.25
        ),
        goal("3,000 revisions in 50 branches", found, "3,000 revisions", FLOOR, 1.5),
        goal("3,000 revisions", found, "3,000 revisions", "corehost check, 100 revisions", 1.15),
    ]
    return Table(
        columns=("process", "whole process", "of that CPU"),
        rows=shown(found),
        note=f"Nothing is pending; medians of {ROUNDS} runs of each, in turn.",
        goals=goals,
    )


def shown(found: Mapping[str, Sample]) -> list[list[str]]:
    """A row for each contestant."""
    return [
        [name, f"{sample.wall * 1000:.0f} ms", f"{sample.cpu * 1000:.0f} ms"]
        for name, sample in found.items()
    ]


def goal(what: str, found: Mapping[str, Sample], who: str, against: str, least: float) -> Goal:
    """One of ``corehost check``, with nothing pending."""
    own, other = found[f"corehost check, {who}"], found[against]
    return Goal(
        what=f"corehost check, whole process, nothing pending: {what}",
        against=against,
        goal=least,
        wall=own.wall / other.wall,
        cpu=own.cpu / other.cpu,
    )


def floor(tree: Tree, url: str) -> Run:
    """The least that Python can do, with the same packages installed."""
    return lambda: run([sys.executable, CONTESTANTS / "floor.py"], tree.environment(url))


def check(tree: Tree, url: str, command: str = "check") -> Run:
    """``corehost check``."""
    return lambda: run(corehost(command, "-q"), tree.environment(url))


def stock(tree: Tree, url: str) -> Run:
    """Alembic's own way to ask."""
    return lambda: run(tree.alembic("current", "--check-heads"), tree.environment(url))


def stamp(tree: Tree, url: str) -> None:
    """Everything is applied, for corehost and for Alembic alone, in one database; the index is built."""
    env = tree.environment(url)
    run(tree.alembic("stamp", "heads"), env)
    # the ledger first; then rows as the revisions, which do nothing, would leave them
    run(corehost("migrate", "-q", "--branch", "corehost"), env)
    with psycopg.connect(url) as connection:
        for branch in tree.names:
            *_, head = tree.ids_of(branch)
            table = f"{branch}.alembic_version"
            connection.execute(f"CREATE SCHEMA {branch}")
            connection.execute(f"CREATE TABLE {table} (version_num varchar(32) PRIMARY KEY)")
            connection.execute(f"INSERT INTO {table} VALUES ('{head}')")
    run(corehost("index", "-q"), env)
