"""What the demo makes of what its instances and the ledger say."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from corehost.demo.fleet import DemoFailed
from corehost.demo.phase import Outcome, check
from corehost.demo.row import Row
from corehost.postgres.ledger import HistoryEntry

DONE = 1_000.0
"""When the only step was done, in seconds since the epoch."""


def entry(**given: Any) -> HistoryEntry:
    """A ledger row of the revision ``a1`` of ``a``, applied."""
    finished = datetime.fromtimestamp(DONE, UTC)
    values = dict.fromkeys(field.name for field in fields(HistoryEntry))
    values |= {"branch": "a", "revision": "a1", "outcome": "applied", "finished_at": finished}
    return HistoryEntry(**{**values, **given})


def outcome(**given: Any) -> Outcome:
    """One instance that has applied a step of ``a``."""
    values: dict[str, Any] = {"applied": ("a",), "ready_at": DONE + 1, "admitted_at": DONE + 2, **given}
    return Outcome(rows=(Row(number=1, **values),), whole=3.0, last_ready=1.0)


def test_all_is_well() -> None:
    """The steps that were pending, each applied once, and nobody ready before: nothing to complain of."""
    check(outcome(), [entry()], steps=1)


@pytest.mark.parametrize("said", ["ready_at", "admitted_at"])
def test_a_ready_that_came_too_early(said: str) -> None:
    """An instance that is ready, or says 200, before the last step was done makes the demo fail."""
    with pytest.raises(DemoFailed, match=r"instance 1 said .* 0\.250 s before the last step was done"):
        check(outcome(**{said: DONE - 0.25}), [entry()], steps=1)


def test_a_step_that_was_applied_twice() -> None:
    """A revision that is in the ledger twice makes the demo fail."""
    with pytest.raises(DemoFailed, match="applied more than once: a@a1"):
        check(outcome(applied=("a", "a")), [entry(), entry()], steps=2)


def test_a_step_that_nobody_applied() -> None:
    """Fewer steps in the ledger than were pending make the demo fail."""
    with pytest.raises(DemoFailed, match="2 steps were pending, 1 are recorded, 1 were told of"):
        check(outcome(), [entry()], steps=2)


def test_a_step_that_failed() -> None:
    """A failed attempt in the ledger makes the demo fail, although another one went well."""
    with pytest.raises(DemoFailed, match="a@a1 has failed: no such table"):
        check(outcome(), [entry(outcome="failed", error="no such table"), entry()], steps=1)
