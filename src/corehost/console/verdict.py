"""What the whole page says first: one word, one sentence, the figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from corehost.console.sight import Sight
from corehost.console.words import count, holder, shown
from corehost.core.results import BranchStatus
from corehost.readiness import Look

_WRONG: Final = ("failed", "in_doubt", "diverged")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How things stand."""

    state: str
    """A state that has a shape."""
    word: str
    """The state in a word or two."""
    sentence: str
    """What that means now."""


def verdict(sight: Sight) -> Verdict:
    """The gravest of what was seen."""
    look = sight.look
    if sight.problem is not None:
        older = "; what follows was seen before" if look else ""
        return Verdict(state="failed", word="Not readable", sentence=f"{shown(sight.problem)}{older}")
    if look is None:
        return Verdict(state="waiting", word="Reading", sentence="The database has not answered yet")
    wrong = [status for status in look.branches if is_wrong(status) and not status.left_out]
    pending = sum(len(status.pending) for status in look.branches)
    deferred = sum(len(status.deferred) for status in look.branches)
    if wrong:
        names = ", ".join(f"{status.branch} {status.state.replace('_', ' ')}" for status in wrong)
        others = f"; {count(pending, 'revision')} pending" if pending else ""
        return Verdict(state=_symbol(wrong[0]), word="Trouble", sentence=f"{names}{others}")
    at_work = [status for status in look.branches if status.state == "migrating"]
    if at_work:
        who = ", ".join(f"{s.branch} by {holder(s.lock)}" for s in at_work if s.lock is not None)
        return Verdict(
            state="migrating", word="Migrating", sentence=f"{count(pending, 'revision')} to go: {who}"
        )
    if not look.ready:
        return Verdict(
            state="pending",
            word="Pending",
            sentence=f"{count(pending, 'revision')} pending, and nobody is at work on them now",
        )
    held = f"; {count(deferred, 'revision')} held back" if deferred else ""
    left = [status.branch for status in look.branches if status.left_out]
    what = f"Nothing but {', '.join(left)}, which the host goes on without," if left else "Nothing"
    return Verdict(state="current", word="Ready", sentence=f"{what} is pending{held}")


def states(look: Look | None) -> dict[str, str]:
    """Branch -> state, for who is told of changes by voice."""
    return {status.branch: status.state.replace("_", " ") for status in look.branches} if look else {}


def is_wrong(status: BranchStatus) -> bool:
    """Whether somebody has to look at a branch."""
    return status.blocked or status.state in _WRONG


def _symbol(status: BranchStatus) -> str:
    return {"in_doubt": "doubt"}.get(status.state, status.state)
