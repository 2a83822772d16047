"""Which contract steps are held back, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.core.branch import Origin
from corehost.core.deferral import Held, Past, Situation, is_guarded, judge_contract, with_dependents
from corehost.core.graph import Graph
from corehost.core.lineage import Lineage, Recorded
from corehost.core.policy import Policy
from corehost.core.present import Present
from corehost.core.release import ReleasedBranch, release_of
from corehost.core.revision import Node, SourceFacts
from support.graphs import chain, revision, tree

ANT = tree("ant", chain("a1", "a2", "a3", "a4"))
STEP = Node("ant", "a3")
AT_ONCE = Policy(contract_delay=0.0)


def released(*heads: str, version: str = "1.0") -> ReleasedBranch:
    """What some code has of ant."""
    origin = Origin(distribution="acme-ant", version=version)
    return ReleasedBranch(branch="ant", namespace=ANT.branch.namespace, heads=heads, origin=origin)


def present(*heads: str, recorded: bool = True, host: str = "here") -> Present:
    """An instance with these heads of ant; none: without that branch."""
    return Present(
        digest="-".join(heads) or "none",
        host=host,
        pid=7,
        backend_pid=1,
        recorded=recorded,
        branches={"ant": released(*heads)} if heads else {},
    )


def past(*heads: str, age: float = 10_000.0, unseen: bool = False) -> Past:
    """A release that has been here."""
    return Past(digest="-".join(heads), released=released(*heads), age=age, unseen=unseen)


def judged(policy: Policy = AT_ONCE, **found: Any) -> Held | None:
    """What is said of the contract step a3."""
    return judge_contract(ANT, STEP, Situation(**found), policy)


def test_an_instance_that_lacks_the_step_keeps_it_back() -> None:
    """By name and version; those that have it do not, nor those without the branch."""
    held = judged(present=(present("a2"), present("a3"), present("a4"), present()))
    assert held == Held(reason="waits for acme-ant 1.0 at here:7", older=frozenset({"a2"}))


def test_an_instance_of_unknown_code_keeps_it_back() -> None:
    """Whatever it may have."""
    held = judged(present=(present("a4", recorded=False),))
    assert held is not None
    assert held.reason == "waits for acme-ant 1.0 at here:7"
    assert judged(present=(present(recorded=False),)) is not None


def test_newer_code_has_the_step_by_what_is_recorded() -> None:
    """Its own heads are not among our files."""
    lineage = Lineage(revisions={"a9": Recorded(parents=("a5",)), "a5": Recorded(parents=("a3",))})
    assert judged(present=(present("a9"),), lineages={"ant": lineage}) is None
    assert judged(present=(present("a9"),)) is not None


def test_more_than_three_are_counted() -> None:
    """A fleet does not fill the screen."""
    held = judged(present=tuple(present("a2", host=f"h{n}") for n in range(5)))
    assert held is not None
    assert held.reason.endswith("h1:7, acme-ant 1.0 at h2:7 and 2 more")


@given(
    st.lists(st.tuples(st.sampled_from(["a1", "a2", "a3", "a4"]), st.booleans())),
    st.sampled_from([Policy(), AT_ONCE, Policy(contract_now=True), Policy(contract="manual")]),
)
def test_nothing_makes_up_for_an_instance_that_is_there(
    found: list[tuple[str, bool]], policy: Policy
) -> None:
    """Neither delay nor operator: where the step may be run everybody present is known, and has it."""
    instances = tuple(present(head, recorded=recorded) for head, recorded in found)
    if judged(policy, present=instances) is None:
        assert all(recorded and head in ("a3", "a4") for head, recorded in found)


def test_where_no_older_code_has_been_nothing_is_waited_for() -> None:
    """A new installation, whatever the settings say."""
    for policy in (Policy(), Policy(contract="manual"), Policy(refuse_destructive=True)):
        assert judged(policy, past={"ant": (past("a3"), past("a4"))}) is None


def test_the_delay_begins_with_the_last_sight_of_older_code_or_with_the_step_itself() -> None:
    """Whichever is later."""
    policy = Policy(contract_delay=100.0)
    for age, own, left in ((30.0, 500.0, 70.0), (500.0, 20.0, 80.0), (500.0, 500.0, None)):
        held = judged(policy, past={"ant": (past("a2", age=age),)}, ages={STEP: own})
        assert (held and held.seconds) == left


def test_a_step_that_nobody_has_recorded_yet_is_new() -> None:
    """Its delay has not begun."""
    held = judged(Policy(contract_delay=100.0), past={"ant": (past("a2"),)})
    assert held == Held(reason="waits for 100 s more, as contract_delay says", seconds=100.0)


@pytest.mark.parametrize(
    ("policy", "unseen"),
    [
        ({"contract": "manual"}, False),
        ({}, True),
        ({"refuse_destructive": True, "facts": lambda _: SourceFacts(destructive=True)}, False),
    ],
)
def test_what_is_left_to_an_operator_is_run_when_he_says_so(policy: Mapping[str, Any], unseen: bool) -> None:
    """By setting, or since older instances cannot be seen, or since it drops data."""
    found = {"past": {"ant": (past("a2", unseen=unseen),)}, "ages": {STEP: 10_000.0}}
    held = judged(Policy(**policy), **found)
    assert held is not None
    assert held.by_hand
    assert judged(Policy(**policy, contract_now=True), **found) is None


def test_what_was_applied_by_nobody_knows_whom_counts_as_older_code() -> None:
    """A database that was taken over, or that an older corehost has migrated."""
    found = {"strangers": frozenset({"ant"}), "ages": {STEP: 50.0}}
    held = judged(Policy(contract_delay=60.0), **found)
    assert held is not None
    assert held.seconds == 10.0
    assert is_guarded(ANT, STEP, Situation(**found))
    assert not is_guarded(ANT, STEP, Situation(past={"ant": (past("a3"),)}))


def test_what_needs_a_step_that_is_held_back_is_held_back_too() -> None:
    """In its own line, in other branches, and through others; a line of its own is not."""
    ant = tree("ant", [*chain("a1", "a2", "a3"), revision("x1"), revision("x2", ["x1"])])
    bee = tree("bee", chain("b1", "b2", "b3", needs={"b2": "ant@a2"}))
    graph = Graph([ant, bee])
    pending = graph.pending({"ant": ["a1"]})
    found = with_dependents(graph, pending, {Node("ant", "a2"): Held(reason="waits", seconds=5.0)})
    assert sorted(map(str, found)) == ["ant@a2", "ant@a3", "bee@b2", "bee@b3"]
    assert found[Node("bee", "b3")].reason == "needs bee@b2, which is held back"
    assert found[Node("bee", "b3")].seconds == 5.0


def test_a_release_is_told_by_its_heads_alone() -> None:
    """Not by the order of its branches, nor by the ledger's own."""
    bee = tree("bee", chain("b1"))
    ledger = tree("corehost", chain("1"))
    digest = release_of(Graph([ANT, bee])).digest
    assert release_of(Graph([bee, ledger, ANT])).digest == digest
    assert release_of(Graph([ANT])).digest != digest
    assert release_of(Graph([tree("ant", chain("a1", "a2", "a3")), bee])).digest != digest
