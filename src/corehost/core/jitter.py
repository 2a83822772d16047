"""Chance that keeps instances out of step, so that those that start together do not ask together."""

from __future__ import annotations

from random import SystemRandom

# Not the generator of the module: its numbers belong to the application, which may have seeded it,
# and processes that were forked would draw the same.
_random = SystemRandom()


def between(shortest: float, longest: float) -> float:
    """A number between the two, any as likely as another."""
    return _random.uniform(shortest, longest)
