"""What of a host's settings and code a look is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from corehost.core.revision import Node, SourceFacts


def _never(_: str) -> bool:
    return False


def _unread(_: Node) -> SourceFacts:
    return SourceFacts()


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a host judges what a look has found; the defaults are those of the settings."""

    optional: Callable[[str], bool] = _never
    """Which branches the host goes on without where they cannot be migrated."""
    refuse_ahead: bool = False
    """Whether a database that is ahead of the code is refused, however compatible."""
    facts: Callable[[Node], SourceFacts] = _unread
    """What a pending revision's source tells; never raises."""
    contract: Literal["auto", "manual"] = "auto"
    """Whether contract steps are run once nobody is there any more who lacks them."""
    contract_delay: float = 3600.0
    """Seconds for which an older instance must have been gone."""
    contract_now: bool = False
    """Whether somebody has asked for contract steps: neither is waited for, but for who is present."""
    refuse_destructive: bool = False
    """Whether steps that drop or narrow data are left to who allows them."""


DEFAULT: Final = Policy()
"""That of a host without settings."""
