"""Roll-outs of three releases beside each other: a few random ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from corehost.embedded import LocalPostgres

from .play import play
from .releases import install
from .schedule import ROUTES, draw_schedule

SEED = 1
SHARDS = 2
ROUNDS = 8


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Three releases of an application and a plugin, installed by pip."""
    return install(tmp_path_factory.mktemp("releases"))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_request_fails_and_no_write_is_lost_in_a_random_schedule(
    shard: int, sites: object, postgres: LocalPostgres, tmp_path: Path
) -> None:
    """Releases come and go, instances are killed: nobody notices, nothing contracts too early."""
    for number in range(shard, ROUNDS, SHARDS):
        verdict = play(draw_schedule(SEED, number), sites, postgres, tmp_path / str(number))
        assert verdict.problems == (), f"nox -s rolling -- --seed {SEED} --round {number}"


def test_with_stock_alembic_at_start_up_requests_fail(
    sites: object, postgres: LocalPostgres, tmp_path: Path
) -> None:
    """The same clients see errors, and old instances crash, where nobody looks at who is alive."""
    number = next(n for n in range(100) if (drawn := draw_schedule(SEED, n)).first == 1 and drawn.last == 3)
    verdict = play(draw_schedule(SEED, number), sites, postgres, tmp_path / "alembic", kind="alembic")
    assert verdict.counts["failed"] > 0


def test_a_schedule_is_drawn_from_seed_and_number_alone() -> None:
    """The same seed and number give the same schedule; another number or seed another."""
    drawn = [draw_schedule(seed, number) for seed in (1, 2) for number in range(20)]
    assert drawn == [draw_schedule(seed, number) for seed in (1, 2) for number in range(20)]
    assert len({str(schedule) for schedule in drawn}) == len(drawn)


def test_every_kind_of_thing_is_drawn() -> None:
    """Two hundred schedules have every route, every disturbance, Jobs, and roll-outs that stop half way."""
    schedules = [draw_schedule(SEED, number) for number in range(200)]
    assert {(s.first, *(roll.release for roll in s.rolls)) for s in schedules} == set(ROUTES)
    rolls = [roll for schedule in schedules for roll in schedule.rolls]
    assert {d.deed for roll in rolls for d in roll.disturbances} == {"kill", "term", "scale_up"}
    assert any(roll.job for roll in rolls)
    assert any(roll.interrupted for roll in rolls)
