"""The entry points of all installed distributions, asked for once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import importlib_metadata
from importlib_metadata import EntryPoint

from corehost.core.branch import Origin
from corehost.discovery.distributions import (
    InstalledDistribution,
    metadata_path,
    origin_of,
    unreadable,
    visible,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One entry point of a group that was asked for."""

    name: str
    """Its name, as its distribution writes it."""
    group: str
    """Its group."""
    value: str
    """Its value: an object reference, or ``package:folder``."""
    origin: Origin
    """Its distribution, and the entry point as text."""
    entry_point: EntryPoint
    """For loading it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What one walk over the installed distributions found."""

    claims: tuple[Claim, ...]
    """The entry points of the groups, in an order that depends on nothing but their text."""
    distributions: tuple[InstalledDistribution, ...]
    """Every installed distribution, once."""


def installed(groups: Iterable[str]) -> Installed:
    """Everything that is installed, and the entry points of some groups.

    A distribution whose entry points cannot be read is logged and left out; it takes nothing else down.
    """
    wanted = frozenset(groups)
    distributions = visible(importlib_metadata.distributions())
    claims = [claim for dist in distributions for claim in _claims(dist, wanted)]
    return Installed(claims=tuple(sorted(claims, key=_key)), distributions=distributions)


def _key(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.name, claim.group, claim.origin.distribution or "", claim.value)


def _claims(dist: InstalledDistribution, groups: frozenset[str]) -> list[Claim]:
    try:
        entries: list[EntryPoint] = list(dist.entry_points)
        if not entries:
            _refuse_unreadable(dist)
    except Exception as error:  # garbage raises whatever its parser stumbles over
        unreadable(dist, error, what="the list of entry points")
        return []
    # a distribution that says the same twice says it once
    chosen = dict.fromkeys(
        (entry.name, entry.group, entry.value) for entry in entries if entry.group in groups
    )
    if not chosen:
        return []
    origin = origin_of(dist)
    return [
        Claim(
            name=name,
            group=group,
            value=value,
            origin=replace(origin, entry_point=f"{group}: {name} = {value}"),
            entry_point=EntryPoint(name=name, value=value, group=group),
        )
        for name, group, value in chosen
    ]


def _refuse_unreadable(dist: InstalledDistribution) -> None:
    # importlib-metadata takes a file that may not be read for one that is not there
    path = metadata_path(dist)
    if path is not None and path.is_dir() and (path / "entry_points.txt").is_file():
        (path / "entry_points.txt").read_bytes()
