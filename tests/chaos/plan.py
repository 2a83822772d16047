"""A round, drawn from its seed and number alone: plugins, instances, faults and when they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from .drawn import Plugin, Step, closed, draw_plugins

Route = Literal["direct", "wire", "pooler"]
Deed = Literal["kill", "stop", "term", "terminate", "cancel", "cut", "swallow", "restart", "read"]
Moment = Literal["before", "during", "after"]

FAULTS_END = 3.5
"""Seconds after the start at which the last fault is over."""
_OF_A_MEMBER: Sequence[Deed] = ("kill", "stop", "term", "cut", "swallow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One instance."""

    plugins: tuple[tuple[str, bool], ...]
    """What it has installed, and whether in the newer version."""
    starts_at: float
    """Seconds after the start of the round."""
    process: bool
    """A ``corehost migrate`` of its own, or else a fork that runs a host."""
    route: Route
    """How it reaches the server."""
    stop_at: int | None = None
    """The request at which it meets its fault."""
    moment: Moment = "before"
    """When, at that request."""
    deed: Literal["kill", "cut"] = "cut"
    """What it meets there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something bad, at a time."""

    deed: Deed
    at: float
    """Seconds after the start of the round, the clock of which stands until the first lock is taken."""
    member: int | None = None
    """Whom it is done to; None: one that holds a lock then, or else it is the server's or the pooler's."""
    seconds: float | None = None
    """How long it lasts; None where it is done with at once, or lasts until the faults stop."""
    pick: float = 0.0
    """From 0 to 1: which of the backends or tables there are then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """All that is decided before a round begins."""

    seed: int
    number: int
    plugins: tuple[Plugin, ...]
    straight: bool
    """Whether the orders of branches and of revisions agree."""
    members: tuple[Member, ...]
    faults: tuple[Fault, ...]
    finishers: int
    """How many fresh instances, with everything installed, end it."""
    settle_applied: bool
    """Whether what is in doubt is completed by hand, or else taken back."""

    @property
    def steps(self) -> dict[str, Step]:
        """Every revision by its id."""
        return {step.revision: step for plugin in self.plugins for step in plugin.steps}

    @property
    def whole(self) -> tuple[tuple[str, bool], ...]:
        """Everything, in its newest version."""
        return tuple((plugin.name, plugin.has_newer) for plugin in self.plugins)

    def has(self, *deeds: Deed) -> bool:
        """Whether any of these is done, to whomever."""
        return any(fault.deed in deeds for fault in self.faults) or any(
            member.stop_at is not None and member.deed in deeds for member in self.members
        )


def draw_round(seed: int, number: int) -> Round:
    """The round with that number; the same for the same two, anywhere."""
    random = Random(f"{seed}/{number}")
    plugins, straight = draw_plugins(random)
    pooled = random.random() < 0.25
    size = random.choices((4, 5, 6, 8, 12, 16), (30, 30, 25, 9, 4, 2))[0]
    members = tuple(_draw_member(random, plugins, pooled=pooled) for _ in range(size))
    pooled = any(member.route == "pooler" for member in members)
    faults = [_draw_fault(random, members, pooled=pooled) for _ in range(random.choice([2, 3, 4, 5, 6, 8]))]
    # a concurrent index waits for the reader: now cut it short
    for reader in [fault for fault in faults if fault.deed == "read" and random.random() < 0.7]:
        deed: Deed = random.choice(("kill", "stop", "terminate", "terminate", "cancel"))
        at = round(min(reader.at + random.uniform(0.2, 0.8), FAULTS_END), 3)
        faults.append(Fault(deed=deed, at=at, pick=random.random() / 4))
    return Round(
        seed=seed,
        number=number,
        plugins=tuple(plugins),
        straight=straight,
        members=members,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        finishers=random.choice([1, 1, 2, 3]),
        settle_applied=random.random() < 0.5,
    )


def _draw_member(random: Random, plugins: Sequence[Plugin], *, pooled: bool) -> Member:
    names = [plugin.name for plugin in plugins]
    if random.random() < 0.5:
        names = random.sample(names, random.randint(1, len(names)))
    installed = closed(plugins, names)
    newest = random.random() < 0.5
    route: Route = random.choices(("direct", "wire", "pooler"), (40, 40, 60 if pooled else 0))[0]
    hit = route == "wire" and random.random() < 0.6
    return Member(
        plugins=tuple(
            (plugin.name, plugin.has_newer and (newest or random.random() < 0.3))
            for plugin in plugins
            if plugin.name in installed
        ),
        starts_at=round(random.uniform(0, 0.2) if random.random() < 0.7 else random.uniform(0.2, 2.0), 3),
        process=random.random() < 0.12,
        route=route,
        stop_at=random.randint(0, 60) if hit else None,
        moment=random.choice(("before", "during", "after")),
        deed=random.choice(("kill", "cut", "cut")),
    )


def _draw_fault(random: Random, members: Sequence[Member], *, pooled: bool) -> Fault:
    weights: dict[Deed, float] = {
        "kill": 4,
        "stop": 4,
        "term": 2,
        "terminate": 4,
        "cancel": 1.5,
        "cut": 2,
        "swallow": 2,
        "read": 5,
        "restart": 3 if pooled else 0,
    }
    deed = random.choices(list(weights), list(weights.values()))[0]
    wired = [place for place, member in enumerate(members) if member.route == "wire"]
    if deed in ("cut", "swallow") and not wired:
        deed = "kill"
    member = None
    if deed in _OF_A_MEMBER:
        anybody = None if random.random() < 0.6 else random.randrange(len(members))
        member = random.choice(wired) if deed in ("cut", "swallow") else anybody
    at = round(random.uniform(0.1, 2.0), 3)
    seconds = round(random.uniform(0.3, FAULTS_END - at), 3)
    lasting = deed in ("stop", "swallow") and random.random() < 0.4
    return Fault(
        deed=deed,
        at=at,
        member=member,
        seconds=seconds if deed in ("stop", "swallow", "read") and not lasting else None,
        pick=random.random(),
    )
