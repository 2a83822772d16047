"""A schedule, drawn from its seed and number alone: which releases are rolled out, and what comes between."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Deed = Literal["kill", "term", "scale_up"]

ROUTES: tuple[tuple[int, ...], ...] = (
    (1, 2, 3),
    (1, 2, 3),
    (1, 3),
    (1, 2, 1, 2, 3),
    (1, 2, 3, 2, 3),
    (1, 2, 1, 3),
    (2, 3),
    (1, 3, 1),
    (1, 2),
    (1, 2, 1),
    (2, 3, 2),
    (3, 2, 3),
)
"""The releases that are rolled out one after the other: skipping one, and going back, among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturbance:
    """Something that happens beside a roll-out."""

    deed: Deed
    """Kill one with -9, end one with SIGTERM behind the balancer's back, add one of the older release."""
    at: float
    """Seconds after the roll-out began."""
    pick: float
    """From 0 to 1: which instance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RollOut:
    """One change of the release."""

    release: int
    """What is rolled out."""
    job: bool
    """Whether ``corehost migrate`` of that release runs before, as a Job does."""
    surge: int
    """How many more instances than wanted there may be meanwhile."""
    interrupted: bool
    """Whether it stops half way, and goes back to the release before."""
    disturbances: tuple[Disturbance, ...]
    """What happens meanwhile, by time."""
    rest: float
    """Seconds of peace afterwards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """All that is decided before it begins."""

    seed: int
    number: int
    first: int
    """The release that is there when it begins."""
    replicas: int
    """How many instances are wanted."""
    rolls: tuple[RollOut, ...]

    @property
    def last(self) -> int:
        """The release that is wanted in the end."""
        release = self.first
        for roll in self.rolls:
            release = release if roll.interrupted else roll.release
        return release


def draw_schedule(seed: int, number: int) -> Schedule:
    """The schedule with that number; the same for the same two, anywhere."""
    random = Random(f"{seed}/{number}")
    first, *releases = random.choice(ROUTES)
    return Schedule(
        seed=seed,
        number=number,
        first=first,
        replicas=random.choice((2, 2, 3)),
        rolls=tuple(_draw_roll(random, release) for release in releases),
    )


def _draw_roll(random: Random, release: int) -> RollOut:
    deeds: list[Deed] = random.choices(
        ("kill", "kill", "term", "scale_up", "scale_up"), k=random.choice((0, 1, 1, 2, 3))
    )
    disturbances = [
        Disturbance(deed=deed, at=round(random.uniform(0.0, 2.0), 3), pick=random.random()) for deed in deeds
    ]
    return RollOut(
        release=release,
        job=random.random() < 0.25,
        surge=random.choice((1, 1, 2)),
        interrupted=random.random() < 0.15,
        disturbances=tuple(sorted(disturbances, key=lambda disturbance: disturbance.at)),
        rest=round(random.uniform(0.0, 0.8), 3),
    )
