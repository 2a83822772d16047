"""Rounds of chaos: what is drawn, and that a few of them end as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.drawn import closed
from chaos.oracle import Ended, Found, expected_rows, problems_of, problems_of_ends
from chaos.plan import FAULTS_END, draw_round
from chaos.rounds import run_round
from corehost.embedded import LocalPostgres
from support.ledger import REVISIONS

SEED = 1
SHARDS = 10
ROUNDS = 20


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_disturbed_fleet_leaves_what_an_undisturbed_instance_leaves(
    shard: int, postgres: LocalPostgres, tmp_path: Path
) -> None:
    """Whatever is done to a fleet, it ends with the same schema, rows and ledger, each revision run once."""
    for number in range(shard, ROUNDS, SHARDS):
        plan = draw_round(SEED, number)
        verdict = run_round(plan, postgres, tmp_path / str(number))
        assert verdict.problems == (), f"nox -s chaos -- --seed {SEED} --round {number}"


def test_a_round_is_drawn_from_seed_and_number_alone() -> None:
    """The same seed and number give the same round; another number or seed another."""
    rounds = [draw_round(seed, number) for seed in (1, 2) for number in range(20)]
    assert rounds == [draw_round(seed, number) for seed in (1, 2) for number in range(20)]
    assert len({str(drawn) for drawn in rounds}) == len(rounds)


def test_what_an_instance_has_installed_is_complete() -> None:
    """Every instance has what its plugins require and what their revisions depend on."""
    for number in range(300):
        plan = draw_round(SEED, number)
        for member in plan.members:
            installed = {name for name, _ in member.plugins}
            assert closed(plan.plugins, installed) == installed


def test_a_revision_is_drawn_after_what_it_needs() -> None:
    """Revisions never need each other in a circle, and older ones never need newer ones."""
    for number in range(300):
        seen: dict[str, bool] = {}
        steps = sorted(draw_round(SEED, number).steps.values(), key=lambda step: step.revision[3:])
        for step in steps:
            for parent in (*step.down, *(meant for _, meant in step.needs)):
                assert parent in seen
                assert step.newer or not seen[parent]
            seen[step.revision] = step.newer


def test_faults_come_to_an_end() -> None:
    """Every fault begins, and is over, before the faults stop."""
    for number in range(300):
        for fault in draw_round(SEED, number).faults:
            assert 0 < fault.at <= fault.at + (fault.seconds or 0) <= FAULTS_END + 0.001


def test_every_kind_of_thing_is_drawn() -> None:
    """A few hundred rounds have every fault, route, kind of step, and shared schemas."""
    plans = [draw_round(SEED, number) for number in range(300)]
    deeds = {fault.deed for plan in plans for fault in plan.faults}
    assert deeds == {"kill", "stop", "term", "terminate", "cancel", "cut", "swallow", "restart", "read"}
    assert {m.route for plan in plans for m in plan.members} == {"direct", "wire", "pooler"}
    kinds = {step.kind for plan in plans for step in plan.steps.values()}
    assert kinds == {"plain", "sleep", "alter", "index", "unsafe"}
    assert any(len({p.schema for p in plan.plugins}) < len(plan.plugins) for plan in plans)
    assert any(len(rows) > 1 for plan in plans for rows in expected_rows(plan).values())


def test_the_oracle_sees_a_revision_that_ran_twice() -> None:
    """Nothing is wrong with what the graph says; a second run, or a missing one, is."""
    plan = draw_round(SEED, 0)
    nodes = [(s.branch, s.revision) for s in sorted(plan.steps.values(), key=lambda s: s.revision[3:])]
    calm = Found(
        rows=expected_rows(plan),
        applied=(*nodes, *(("corehost", revision) for revision in REVISIONS)),
        ran=tuple(nodes),
    )
    last = "@".join(nodes[-1])
    assert list(problems_of(plan, calm, calm)) == []
    twice = replace(calm, ran=(*nodes, nodes[-1]))
    assert list(problems_of(plan, twice, calm)) == [f"{last} ran 2 times"]
    missing = replace(calm, ran=tuple(nodes[:-1]))
    assert list(problems_of(plan, missing, calm)) == [f"{last} ran 0 times"]


def test_the_oracle_sees_an_end_that_nothing_accounts_for() -> None:
    """Who was not killed may not have ended so, and two may not have applied the same revision."""
    plan = draw_round(SEED, 0)
    killed = Ended(name="a", code=-9)
    assert len(list(problems_of_ends(plan, [killed], ()))) == 1
    assert list(problems_of_ends(plan, [Ended(name="a", code=-9, hit=("kill",))], ())) == []
    both = [Ended(name=name, code=0, applied=("ant@ant00",)) for name in ("a", "b")]
    assert "2 instances say that they applied ant@ant00" in list(problems_of_ends(plan, both, ()))
