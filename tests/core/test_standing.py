"""How the installed code and the database stand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from corehost.core.graph import Graph
from corehost.core.lineage import UNRECORDED, Lineage, Recorded
from corehost.core.namespace import Namespace
from corehost.core.results import LockHolder
from corehost.core.revision import Node
from corehost.core.standing import (
    Standing,
    branch_status,
    needing_lineage,
    orphans,
    standing,
    standings,
)
from corehost.core.state import DatabaseState, LedgerBranch, OpenStep
from support.graphs import chain, revision, tree

ANT = tree("ant", chain("a1", "a2"))
NAMESPACE = ANT.branch.namespace
BACKEND = 4711


def state(*rows: str, ledger: tuple[str, ...] = (), **given: Any) -> DatabaseState:
    """What a look found of ant."""
    known = LedgerBranch(namespace=NAMESPACE, branch="ant", heads=ledger, distribution=None, version=None)
    return DatabaseState(rows={"ant": rows}, has_ledger=True, ledger={NAMESPACE: known}, **given)


def recorded(
    parents: Mapping[str, tuple[str, ...]], heads: tuple[str, ...] = (), **others: Recorded
) -> Lineage:
    """What is recorded of ant: harmless revisions of ant 3.0, whose code has ``heads``; and others."""
    plain = {
        name: Recorded(
            parents=needs, destructive=False, release="three", distribution="acme-ant", version="3.0"
        )
        for name, needs in parents.items()
    }
    return Lineage(revisions={**plain, **others}, heads={"three": heads})


def judged(
    *rows: str,
    lineage: Mapping[str, tuple[str, ...]] | Lineage | None = None,
    refuse_ahead: bool = False,
    **given: Any,
) -> Standing:
    """The standing of ant."""
    if not isinstance(lineage, Lineage):
        lineage = recorded(lineage or {})
    return standing(ANT, state(*rows, **given), lineage, refuse_ahead=refuse_ahead)


def test_an_empty_database_is_nothing_to_wonder_at() -> None:
    """A fresh start."""
    assert judged() == Standing(rows=())


def test_known_rows_are_gone_on_from() -> None:
    """Nothing to say of them."""
    assert judged("a1", ledger=("a1",)) == Standing(rows=("a1",))


def test_rows_that_somebody_else_has_put_there_are_gone_on_from_too() -> None:
    """A stock upgrade by hand beside us."""
    assert judged("a2", ledger=("a1",)) == Standing(rows=("a2",))


def test_a_database_ahead_of_the_code_fits_where_the_lineage_shows_it() -> None:
    """An older release beside a newer one, or after a roll back."""
    found = judged("a3", lineage={"a3": ("a2",)})
    assert found == Standing(rows=("a2",), state="ahead", reason="the database has a3, newer than this code")
    assert not found.blocked


def test_a_database_far_ahead_fits_too() -> None:
    """Several revisions that the code does not know lie in between."""
    assert judged("a5", lineage={"a5": ("a4",), "a4": ("a3",), "a3": ("a2",)}).state == "ahead"


def test_a_database_ahead_by_a_merge_fits() -> None:
    """One of the merged lines is ours, the other is not known."""
    assert judged("m", lineage={"m": ("a2", "x1"), "x1": ()}).state == "ahead"


def test_a_revision_of_unknown_lineage_has_diverged() -> None:
    """Nobody recorded where it came from."""
    found = judged("zz")
    assert found.blocked
    assert found.reason == (
        "the database has zz, which this code does not know, and of which nothing is recorded"
    )


def test_a_revision_beside_our_own_has_diverged() -> None:
    """It descends from a1, but a2 is not among what is applied: another line; both are named."""
    found = judged("b2", lineage={"b2": ("a1",)})
    assert (found.state, found.rows, found.blocked) == ("diverged", ("a1",), True)
    assert found.reason == (
        "this code has a2, which is not applied, and the database has b2 of acme-ant 3.0,"
        " made by code that does not know a2"
    )


def test_a_second_line_of_code_that_knew_ours_has_not_diverged() -> None:
    """Newer code has gone further on one line, and left what is pending on the other to whoever has time."""
    lineage = recorded({"b2": ("a1",), "a2": ("a1",)}, heads=("a2", "b2"))
    found = judged("b2", lineage=lineage)
    assert (found.state, found.rows, found.blocked) == ("ahead", ("a1",), False)


def test_what_older_code_had_left_pending_is_no_excuse_for_other_code() -> None:
    """That somebody has recorded a2 does not mean that whoever applied b2 knew it."""
    lineage = recorded({"b2": ("a1",), "a2": ("a1",)}, heads=("b2",))
    assert judged("b2", lineage=lineage).state == "diverged"


@pytest.mark.parametrize(
    "facts",
    [
        {"phase": "contract"},
        {"phase": "contract", "destructive": False},
        {"destructive": True},
        {"destructive": None},
    ],
)
def test_older_code_may_not_go_on_after_a_contract_step(facts: dict[str, Any]) -> None:
    """Marked so, or unmarked and not known to be harmless; it is told what to deploy."""
    lineage = recorded(
        {"a4": ("a3",)}, a3=Recorded(parents=("a2",), distribution="acme-ant", version="2.5", **facts)
    )
    found = judged("a4", lineage=lineage)
    assert (found.state, found.blocked, found.revision) == ("ahead", True, "a3")
    assert found.reason == "the database has a3 of acme-ant 2.5, a contract step: older code cannot go on"
    assert found.hint == "deploy acme-ant 2.5 or newer"


def test_of_several_contract_steps_the_newest_says_what_is_needed() -> None:
    """Code that has it has the older ones too."""
    contract = {"phase": "contract", "distribution": "acme-ant"}
    lineage = recorded(
        {"a5": ("a4",)},
        a4=Recorded(parents=("a3",), version="4.0", **contract),
        a3=Recorded(parents=("a2",), version="3.0", **contract),
    )
    assert judged("a5", lineage=lineage).hint == "deploy acme-ant 4.0 or newer"


def test_what_its_author_has_marked_as_expand_keeps_nobody_away() -> None:
    """He knows what it drops."""
    assert not judged("a3", lineage=recorded({}, a3=Recorded(parents=("a2",), phase="expand"))).blocked


def test_a_host_may_refuse_a_database_that_is_ahead() -> None:
    """However compatible."""
    found = judged("a3", lineage={"a3": ("a2",)}, refuse_ahead=True)
    assert (found.state, found.blocked) == ("ahead", True)
    assert found.hint == 'deploy acme-ant 3.0 or newer, or set on_database_ahead = "allow"'


def test_an_unknown_row_beside_all_that_the_code_knows_has_diverged_unless_it_is_recorded() -> None:
    """What is there beyond our own heads must have been applied by corehost."""
    assert judged("a2", "zz").state == "diverged"
    assert judged("a2", "zz", lineage={"zz": ()}).state == "ahead"


@pytest.mark.parametrize(
    ("given", "told"), [({}, "is empty"), ({"without_table": frozenset({"ant"})}, "is missing")]
)
def test_a_version_table_that_has_lost_its_rows_has_diverged(given: dict[str, Any], told: str) -> None:
    """The ledger says that something was applied: never a fresh start."""
    found = judged(ledger=("a2",), **given)
    assert found.blocked
    assert found.reason == f"version table ant.alembic_version {told}, but the ledger has a2 applied"


def test_a_lineage_is_asked_for_only_where_a_row_is_not_known() -> None:
    """The common look needs none."""
    graph = Graph([ANT, tree("bee", chain("b1"))])
    assert needing_lineage(graph, DatabaseState(rows={"ant": ("a3",), "bee": ("b1",)})) == ("ant",)


def test_every_branch_that_was_read_is_judged() -> None:
    """Each with its own lineage."""
    graph = Graph([ANT, tree("bee", chain("b1"))])
    found = standings(
        graph, DatabaseState(rows={"ant": ("a3",), "bee": ()}), {"ant": recorded({"a3": ("a2",)})}
    )
    assert {name: judgement.state for name, judgement in found.items()} == {"ant": "ahead", "bee": None}


def ledger_of(*branches: LedgerBranch) -> DatabaseState:
    """What the ledger knows, and nothing else."""
    return DatabaseState(rows={}, ledger={known.namespace: known for known in branches})


def known(branch: str, *heads: str, schema: str | None = None) -> LedgerBranch:
    """A branch that the ledger knows."""
    namespace = Namespace(schema=schema or branch, version_table="alembic_version")
    return LedgerBranch(namespace=namespace, branch=branch, heads=heads, distribution=None, version=None)


def test_what_is_applied_and_not_installed_is_orphaned() -> None:
    """In the order of the schemas; what has nothing applied any more is no orphan."""
    gone = [known("zoo", "z1"), known("cow", "c1")]
    assert orphans(Graph([ANT]), ledger_of(*gone, known("ant", "a1"), known("emu"))) == (gone[1], gone[0])


def test_a_branch_is_known_by_its_namespace_not_by_its_name() -> None:
    """Two hosts in one database may both have a core."""
    other = known("ant", "a1", schema="elsewhere")
    assert orphans(Graph([ANT]), ledger_of(other)) == (other,)


def attempt(*, partial: bool = False, failed: bool = False) -> dict[Namespace, OpenStep]:
    """An attempt at a2 that nobody has settled."""
    step = OpenStep(
        id=1,
        namespace=NAMESPACE,
        revision="a2",
        partial=partial,
        failed=failed,
        error="DivisionByZero: division by zero" if failed else None,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        host="here",
        pid=1,
        backend_pid=BACKEND,
    )
    return {NAMESPACE: step}


def holder(pid: int = BACKEND) -> LockHolder:
    """Who holds the namespace's lock."""
    return LockHolder(pid=pid, application_name="corehost here:1", since=None)


def shown(found: DatabaseState, *pending: str, holder: LockHolder | None = None, **lineage: Any) -> Any:
    """State and reason of ant, as ``status`` shows them."""
    status = branch_status(
        ANT,
        standing(ANT, found, recorded(lineage)),
        found,
        pending=tuple(Node("ant", name) for name in pending),
        holder=holder,
    )
    return status.state, status.reason


def test_a_branch_with_nothing_to_do_is_current() -> None:
    """Whoever holds its lock."""
    assert shown(state("a2"), holder=holder()) == ("current", None)


def test_a_branch_with_something_to_do_is_pending() -> None:
    """Nobody is at it."""
    assert shown(state("a1"), "a2") == ("pending", None)


def test_a_branch_that_somebody_is_at_is_migrating() -> None:
    """Its lock is held and something is pending."""
    assert shown(state("a1"), "a2", holder=holder()) == ("migrating", None)


def test_a_branch_whose_step_failed_is_failed_with_the_error() -> None:
    """Until somebody tries again."""
    found = shown(state("a1", open_steps=attempt(failed=True)), "a2")
    assert found == ("failed", "revision a2 failed: DivisionByZero: division by zero")


def test_a_branch_whose_failed_step_is_tried_again_is_migrating() -> None:
    """The next attempt is under way."""
    found = shown(state("a1", open_steps=attempt(failed=True)), "a2", holder=holder(1))
    assert found == ("migrating", None)


@pytest.mark.parametrize("holder_now", [None, holder(pid=1)])
def test_a_step_that_was_left_in_its_middle_is_in_doubt(holder_now: LockHolder | None) -> None:
    """Whoever began it holds the lock no more."""
    found = shown(state("a1", open_steps=attempt(partial=True)), "a2", holder=holder_now)
    assert found == ("in_doubt", "revision a2 was begun and a part of it may be committed")


def test_a_step_in_its_middle_is_migrating_while_its_session_holds_the_lock() -> None:
    """CREATE INDEX CONCURRENTLY takes its time."""
    found = shown(state("a1", open_steps=attempt(partial=True)), "a2", holder=holder())
    assert found == ("migrating", None)


def test_a_database_ahead_is_shown_before_anything_else() -> None:
    """Its reason is told."""
    assert shown(state("a3"), a3=("a2",)) == ("ahead", "the database has a3, newer than this code")


def test_a_status_shows_rows_heads_and_pending() -> None:
    """As the database and the code have them."""
    ant = tree("ant", [revision("a1"), revision("a2", ["a1"]), revision("x1")], target="a2")
    found = DatabaseState(rows={"ant": ("a1",)})
    status = branch_status(
        ant, standing(ant, found, UNRECORDED), found, pending=(Node("ant", "a2"),), holder=None
    )
    assert (status.applied, status.heads, status.pending) == (("a1",), ("a2",), ("a2",))
    assert (status.schema, status.origin.distribution) == ("ant", "acme-ant")
