"""The life of a host as a state machine, without a host."""

from __future__ import annotations

from typing import get_args

import pytest

from corehost.core.life import EVENTS, TRANSITIONS, Event, IllegalTransition, after, may_serve
from corehost.core.results import ReadinessState

STATES: tuple[ReadinessState, ...] = get_args(ReadinessState)
WAY_UP: list[tuple[Event, ReadinessState]] = [
    ("begin", "starting"),
    ("wait", "waiting"),
    ("step", "migrating"),
    ("wait", "waiting"),
    ("passed", "starting"),
    ("finish", "ready"),
    ("lose", "degraded"),
    ("regain", "ready"),
    ("end", "starting"),
]


def test_the_way_up_and_down() -> None:
    """Each event of a life without a failure leads to the state that probes then show."""
    state: ReadinessState = "starting"
    for event, expected in WAY_UP:
        state = after(state, event)
        assert state == expected


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_what_the_table_does_not_have_cannot_happen(state: ReadinessState, event: Event) -> None:
    """An event either leads to a state that there is, or is refused."""
    if event in TRANSITIONS[state]:
        assert after(state, event) in STATES
    else:
        with pytest.raises(IllegalTransition, match=f"'{event}' cannot come while the state is '{state}'"):
            after(state, event)


def test_an_instance_serves_only_after_a_finish() -> None:
    """From a state that may not serve, no other event leads to one that may."""
    for state in STATES:
        for event, following in TRANSITIONS[state].items():
            if may_serve(following, needs_database=False) and not may_serve(state, needs_database=False):
                assert event == "finish"


def test_an_instance_that_others_do_not_see_does_not_serve() -> None:
    """Its database answers, and what it needs may be taken away: no traffic, whatever the setting."""
    assert not any(may_serve("degraded", needs_database=needed, unseen=True) for needed in (False, True))


def test_a_failed_host_serves_only_after_a_new_beginning() -> None:
    """Nothing leads out of failed but a new pass, or the end."""
    assert {event: state for event, state in TRANSITIONS["failed"].items() if state != "failed"} == {
        "begin": "starting",
        "end": "starting",
    }


def test_the_database_of_a_serving_host_matters_only_where_it_is_said_to() -> None:
    """Degraded serves, unless readiness_needs_database says that it does not; ready always does."""
    served = [(s, n) for s in STATES for n in (False, True) if may_serve(s, needs_database=n)]
    assert served == [("ready", False), ("ready", True), ("degraded", False)]
