"""The life of a host as a state machine: which state follows from which event, and nothing else.

    starting ──wait──> waiting ──step──> migrating ──pass──> starting ──finish──> ready <──> degraded

Any of the first three may fail; a failed host begins anew. Every state may be ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from corehost.core.results import ReadinessState

Event = Literal["begin", "wait", "step", "passed", "finish", "fail", "lose", "regain", "end"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
"""
``begin``: a pass begins. ``wait``: others hold what is needed. ``step``: a step begins here. ``passed``:
nothing is pending any more; the plugins' start-up follows. ``finish``: this instance may serve. ``fail``: it
may not. ``lose`` and ``regain``: the database of an instance that serves. ``end``: it stops.
"""

_UNDER_WAY: Final[Mapping[Event, ReadinessState]] = MappingProxyType(
    {
        "wait": "waiting",
        "step": "migrating",
        "passed": "starting",
        "finish": "ready",
        "fail": "failed",
        "end": "starting",
    }
)
TRANSITIONS: Final[Mapping[ReadinessState, Mapping[Event, ReadinessState]]] = MappingProxyType(
    {
        "starting": {**_UNDER_WAY, "begin": "starting"},
        # A pass over one branch alone ends here: others may be pending.
        "waiting": {**_UNDER_WAY, "begin": "starting"},
        "migrating": _UNDER_WAY,
        # An instance that finds a contract step where it looks again may not go on.
        "ready": {"fail": "failed", "lose": "degraded", "begin": "starting", "end": "starting"},
        "degraded": {
            "fail": "failed",
            "lose": "degraded",
            "regain": "ready",
            "begin": "starting",
            "end": "starting",
        },
        "failed": {"fail": "failed", "begin": "starting", "end": "starting"},
    }
)
"""State -> event -> the state that follows; what is not here cannot happen."""


class IllegalTransition(AssertionError):
    """An event that cannot come in a state: a mistake in corehost, never in its use."""


def after(state: ReadinessState, event: Event) -> ReadinessState:
    """The state that follows. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"{event!r} cannot come while the state is {state!r}") from None


def may_serve(state: ReadinessState, *, needs_database: bool, unseen: bool = False) -> bool:
    """Whether traffic may come (``readiness_needs_database`` decides what losing the database means).

    ``unseen``: the database answers, and others do not see this instance: they may take away what it needs.
    """
    return state == "ready" or (state == "degraded" and not needs_database and not unseen)
