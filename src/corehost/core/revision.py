"""One revision file's header, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Phase = Literal["expand", "contract"]


class Node(NamedTuple):
    """A revision's place in the graph; two packages may both have a revision ``0001``."""

    branch: str
    revision: str

    def __str__(self) -> str:
        return f"{self.branch}@{self.revision}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """What the header of a revision file says, as the file says it (nothing is resolved)."""

    revision: str
    """The revision id."""
    down_revision: tuple[str, ...] = ()
    """The parents in its own branch; several for a merge, none for a base."""
    depends_on: tuple[str, ...] = ()
    """What else must be applied before: revision ids, branch labels, ``plugin@revision``."""
    branch_labels: tuple[str, ...] = ()
    """Alembic branch labels."""
    message: str = ""
    """The first line of the file's docstring."""
    path: str = ""
    """The file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """What the source of a revision file tells beyond its header, without running it."""

    transactional: bool = True
    """Whether nothing in it ends the transaction in its middle (``autocommit_block``, COMMIT)."""
    destructive: bool = False
    """Whether its upgrade drops or narrows data, as far as the source shows it."""
    phase: Phase | None = None
    """``phase`` as the file marks it."""
    retry_safe: bool = False
    """Whether it may be run again after a crash in its middle."""
    background: bool = False
    """Whether readiness does not depend on it (``blocking = False``): run by an instance that serves."""
    lock_timeout: str | None = None
    """The file's own ``lock_timeout``."""
