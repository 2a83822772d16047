"""What the doctor reports, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

Severity = Literal["info", "warning", "error"]
Verdict = Literal["hosts", "hosts with", "refuses"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """Another tree that one needs."""

    name: str
    """The name of its branch."""
    migrations: str | tuple[str, ...]
    """Its folder as ``"package:folder"``, or several."""
    group: str | None = None
    """The entry-point group that declares it."""
    recursive: bool = False
    """Whether its revisions lie in nested folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is worth knowing about a tree."""

    severity: Severity
    """``error``: as it is, corehost would refuse it or a step would fail."""
    code: str
    """A stable name for programs."""
    message: str
    """One lowercase statement, with what to do about it."""
    file: str | None = None
    """The file that shows it."""
    line: int | None = None
    """The line in it."""
    keys: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """What the mount is to say because of it."""
    proposal: str | None = None
    """A line of the mount that somebody has to complete or to decide on."""
    neighbour: Neighbour | None = None
    """A tree of another package that has to be hosted too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeReport:
    """One migration tree."""

    name: str
    """A name for its branch."""
    folder: str
    """The folder that ``migrations`` names, the first of several."""
    migrations: str | tuple[str, ...]
    """The same as ``"package:folder"``, or several."""
    revisions: int
    """How many it has."""
    heads: tuple[str, ...]
    """The revisions that nothing of the tree needs, sorted."""
    bases: tuple[str, ...]
    """The revisions without a parent, sorted."""
    labels: tuple[str, ...]
    """Its branch labels, sorted."""
    findings: tuple[Finding, ...]
    """What was found, the gravest first."""
    mount: Mapping[str, Any]
    """The mount that hosts it."""
    group: str | None = None
    """The entry-point group that declares it already."""

    @property
    def verdict(self) -> Verdict:
        """Whether corehost can host it."""
        if any(finding.severity == "error" for finding in self.findings):
            return "refuses"
        if self.group is not None or self.mount.keys() > {"migrations"} or self.proposals:
            return "hosts with"
        return "hosts"

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The trees of other packages that have to be hosted too."""
        return tuple(dict.fromkeys(finding.neighbour for finding in self.findings if finding.neighbour))

    @property
    def proposals(self) -> tuple[str, ...]:
        """Lines of the mount that somebody has to complete or to decide on."""
        return tuple(dict.fromkeys(finding.proposal for finding in self.findings if finding.proposal))


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageReport:
    """A package and its trees."""

    package: str
    """What was asked for."""
    distribution: str | None
    """The distribution that ships it, where it is known."""
    version: str | None
    """That distribution's version."""
    trees: tuple[TreeReport, ...]
    """Its migration trees, sorted by name."""

    @property
    def hosts(self) -> bool:
        """Whether there is something to host, and nothing of it is refused."""
        return bool(self.trees) and all(tree.verdict != "refuses" for tree in self.trees)
