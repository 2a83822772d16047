"""The order of branches."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from corehost import CycleError
from corehost.core.branch import Branch, Origin
from corehost.core.branch_order import branch_ranks
from corehost.core.namespace import Namespace
from corehost.core.requirement import Requirement


def branch(name: str, *, requires: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Branch:
    """A branch of which only the order matters."""
    return Branch(
        name=name,
        namespace=Namespace(schema=name, version_table="alembic_version"),
        locations=(),
        script_location=Path(name),
        origin=Origin(distribution=f"acme-{name}", version="1.0"),
        requires=tuple(Requirement(name=other) for other in requires),
        after=after,
    )


def order(*branches: Branch) -> list[str]:
    """The names by rank."""
    ranks = branch_ranks(branches)
    return sorted(ranks, key=ranks.__getitem__)


def test_the_ledger_comes_first_and_the_core_second() -> None:
    """Whatever the others are called."""
    assert order(branch("ant"), branch("core"), branch("corehost")) == ["corehost", "core", "ant"]


def test_ties_are_ordered_by_name() -> None:
    """Nothing else tells them apart on every instance."""
    assert order(branch("cat"), branch("ant"), branch("bee")) == ["ant", "bee", "cat"]


def test_a_requirement_comes_first() -> None:
    """A branch stands behind what it requires."""
    assert order(branch("ant", requires=("bee",)), branch("bee")) == ["bee", "ant"]


def test_what_is_named_by_after_comes_first() -> None:
    """A branch stands behind what it comes after."""
    assert order(branch("ant", after=("bee",)), branch("bee")) == ["bee", "ant"]


def test_what_is_not_installed_orders_nothing() -> None:
    """Names of branches that are not there mean nothing here."""
    assert order(branch("ant", requires=("nobody",), after=("nothing",))) == ["ant"]


def test_the_order_does_not_depend_on_the_order_of_the_branches() -> None:
    """Entry points come in any order."""
    names = [f"b{number}" for number in range(40)]
    branches = [
        branch(name, after=(names[number // 3],) if number else ()) for number, name in enumerate(names)
    ]
    expected = order(*branches)
    for seed in range(5):
        random.Random(seed).shuffle(branches)
        assert order(*branches) == expected


def test_a_long_chain_is_ordered() -> None:
    """Neither recursion nor the number of branches is a limit."""
    names = [f"b{number:04}" for number in range(3000)]
    branches = [branch(name, requires=(names[number + 1],)) for number, name in enumerate(names[:-1])]
    assert order(*branches, branch(names[-1])) == names[::-1]


def test_a_cycle_is_drawn_with_every_member_in_order() -> None:
    """The message shows who waits for whom, and where the first comes from."""
    with pytest.raises(CycleError) as caught:
        branch_ranks(
            [branch("cat", after=("ant",)), branch("ant", requires=("bee",)), branch("bee", after=("cat",))]
        )
    drawn = caught.value.message.split("\n", 1)[1].split()
    assert drawn == ["ant", "bee", "cat", "ant"]
    assert caught.value.where.distribution == "acme-ant"


def test_a_branch_that_waits_for_itself_is_a_cycle() -> None:
    """The smallest cycle has one member."""
    with pytest.raises(CycleError):
        branch_ranks([branch("ant", after=("ant",))])
