"""What the ledger has recorded of one branch: how its revisions descend, what each does to older code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from corehost.core.revision import Phase
from corehost.core.toposort import reached


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """One revision, as the code that knew it has recorded it."""

    parents: tuple[str, ...] = ()
    """What it needs inside its branch."""
    phase: Phase | None = None
    """``phase`` as its file marked it."""
    destructive: bool | None = None
    """Whether its source dropped or narrowed data; None where nobody has looked."""
    distribution: str | None = None
    """What shipped it."""
    version: str | None = None
    """The version of that."""
    release: str | None = None
    """The digest of the code that applied it; None where it is not applied, or nobody said."""

    @property
    def contracts(self) -> bool:
        """Whether older code may not go on: marked so, or unmarked and not known to be harmless."""
        return self.phase == "contract" or (self.phase is None and self.destructive is not False)

    @property
    def shipped_by(self) -> str:
        """Distribution and version as text; empty where neither is known."""
        return " ".join(part for part in (self.distribution, self.version) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """Every revision that is recorded of one branch, and the heads of the releases that applied them."""

    revisions: Mapping[str, Recorded] = field(default_factory=lambda: MappingProxyType({}))
    """Revision -> what is recorded of it."""
    heads: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Digest of a release -> the heads of this branch in its code."""

    def closure(self, revisions: Iterable[str]) -> frozenset[str]:
        """These revisions and all that they descend from, as far as it is recorded."""
        return frozenset(reached(revisions, self._parents))

    def _parents(self, revision: str) -> tuple[str, ...]:
        recorded = self.revisions.get(revision)
        return () if recorded is None else recorded.parents

    def known_to_applier(self, revision: str) -> frozenset[str]:
        """All that the code knew which applied a revision; where that is not recorded, what this needs."""
        recorded = self.revisions.get(revision)
        heads = self.heads.get(recorded.release or "", ()) if recorded is not None else ()
        return self.closure((revision, *heads))


UNRECORDED = Lineage()
"""Of a branch of which nothing had to be read."""
