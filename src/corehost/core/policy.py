"""What of a host's settings and code a look is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a host judges what a look has found; the defaults are those of the settings."""

    optional: Callable[[str], bool] = _never
    """Which branches the host goes on without where they cannot be migrated."""
    refuse_ahead: bool = False
    """Whether a database that is ahead of the code is refused, however compatible."""


DEFAULT: Final = Policy()
"""That of a host without settings."""
