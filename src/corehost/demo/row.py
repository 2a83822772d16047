"""What is known of each instance: a value that its events and its answers move on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from corehost.demo.event import Event

RowState = Literal["starting", "looking", "waiting", "preparing", "migrating", "ready"]

_HOLDER: Final = re.compile(r"namespace '([^']+)', held by pid \d+ \(corehost [^ )]*:(\d+)\b")
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One instance of a phase."""

    number: int
    """Which, from 1."""
    state: RowState = "starting"
    """What it does, by its own account."""
    doing: str = ""
    """The step that it runs, or what it waits for."""
    waits_for: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    """Namespace -> the instance that holds its lock, of what it waits for; empty once it looks again."""
    applied: tuple[str, ...] = ()
    """The branches of the steps that it applied, one for each step."""
    waited: float | None = None
    """How long it waited for others, in seconds; None before it is ready."""
    ready_at: float | None = None
    """When it was ready, in seconds since the epoch."""
    refused: int = 0
    """How often /readyz said 503."""
    admitted_at: float | None = None
    """When /readyz first said 200."""

    def after(self, event: Event, numbers: Mapping[int, int]) -> Row:
        """The row after an event; ``numbers`` gives the instance of each process id."""
        step = f"{event.branch} {event.revision}"
        match event.kind:
            case "planned":  # each look begins with it: what is waited for may be another thing by now
                looking = replace(self, waits_for=_NOTHING)
                return replace(looking, state="looking") if self.state == "starting" else looking
            case "waiting":
                return self._waiting(event.message or "", numbers)
            case "step_started":
                doing = f"{step}  {event.message or ''}".rstrip()
                return replace(self, state="migrating", doing=doing, waits_for=_NOTHING)
            case "retrying":
                return replace(self, state="migrating", doing=f"{step} again: {event.message}")
            case "step_finished":
                return replace(self, applied=(*self.applied, event.branch or ""))
            case "ready":
                return replace(
                    self, state="ready", doing="", waits_for=_NOTHING, waited=event.waited, ready_at=event.at
                )
            case _:
                return self

    def answered(self, status: int, at: float) -> Row:
        """The row after an answer of /readyz."""
        if status != 200:
            return replace(self, refused=self.refused + 1)
        return self if self.admitted_at is not None else replace(self, admitted_at=at)

    def holding(self, namespace: str) -> Row:
        """The row after another instance has found that this one holds a namespace's lock.

        Until its first step that is the only sign of it. What is out of date by now is left aside.
        """
        looking = self.state in ("looking", "waiting") and not self.waits_for
        if looking or namespace in self.waits_for:
            return replace(self, state="preparing", doing=f"holds {namespace}", waits_for=_NOTHING)
        return self

    @property
    def done(self) -> bool:
        """Whether it is ready, and has been heard to say so."""
        return self.ready_at is not None and self.admitted_at is not None

    @property
    def work(self) -> str:
        """What it applied, such as ``accounts 4, audit 2``."""
        return ", ".join(f"{branch} {count}" for branch, count in Counter(self.applied).items())

    def _waiting(self, message: str, numbers: Mapping[int, int]) -> Row:
        """The observer's message made short: the namespaces, and which instances hold them."""
        held = {
            namespace: numbers[int(pid)] for namespace, pid in _HOLDER.findall(message) if int(pid) in numbers
        }
        holders = ", ".join(map(str, dict.fromkeys(held.values())))
        doing = f"{', '.join(held)} (held by {holders})" if held else message.removeprefix("waiting for ")
        return replace(self, state="waiting", doing=doing, waits_for=MappingProxyType(held))
