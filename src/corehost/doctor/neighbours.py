"""Other migration trees that are installed: named by entry points, else by what distributions ship."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corehost.discovery.entry_points import installed
from corehost.doctor.location import branch_names, locate_in, named
from corehost.doctor.model import Neighbour
from corehost.doctor.revision_file import read
from corehost.doctor.subject import entry_points_of, is_there, places_of
from corehost.doctor.trees import Tree, group
from corehost.doctor.walk import revision_folders

_LOOKS_LIKE = re.compile(r"alembic|migration", re.IGNORECASE)
_VALUE = re.compile(r"([A-Za-z_][\w.]*)(?::([\w./-]+))?")
_SHIPPED = re.compile(r"^((?!\.\.)[^,\n]*?(?:alembic|migrations?|versions))/[^,\n]*\.py,", re.MULTILINE)
PLUGINS = "corehost.plugins"


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """A folder that an entry point names."""

    name: str
    """The name of its branch: the entry point's, spelled as corehost spells it."""
    group: str
    """The entry point's group."""
    value: str
    """The entry point's value."""
    folder: Path
    """The folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    neighbour: Neighbour
    folder: Path
    names: frozenset[str]
    """The ids and labels of its revisions."""

    def has(self, wanted: str) -> bool:
        label, _, inner = wanted.rpartition("@")
        mine = label in self.names or label == self.neighbour.name
        return wanted in self.names or (mine and (inner == "head" or inner in self.names))


def declared(entry_points: Iterable[Any]) -> Iterator[Declared]:
    """The folders that entry points name; groups that do not look like migrations are left out."""
    for entry in entry_points:
        if not _LOOKS_LIKE.search(f"{entry.group} {entry.value}") or entry.group == PLUGINS:
            continue
        if (match := _VALUE.fullmatch(entry.value)) is None:
            continue
        if (folder := _folder(match[1], match[2] or "")) is not None:
            name = re.sub(r"[-.]", "_", entry.name).lower()
            yield Declared(name=name, group=entry.group, value=entry.value, folder=folder)


class Neighbours:
    """The trees of all installed distributions; looked for when they are first asked for."""

    def holder(self, wanted: str, *, but: Path) -> Neighbour | None:
        """The tree that has a revision of that id or label; None where none has."""
        for search in ("_declared", "_shipped"):
            known: list[_Known] = getattr(self, search)
            for one in known:
                if one.folder != but and one.has(wanted):
                    return one.neighbour
        return None

    @cached_property
    def _distributions(self) -> tuple[Any, ...]:
        return installed(()).distributions

    @cached_property
    def _declared(self) -> list[_Known]:
        found = {}
        for dist in self._distributions:
            for claim in declared(entry_points_of(dist)):
                for tree in _trees(claim.folder):
                    neighbour = Neighbour(
                        name=claim.name, migrations=claim.value, group=claim.group, recursive=tree.recursive
                    )
                    found[neighbour] = _Known(neighbour=neighbour, folder=claim.folder, names=_names(tree))
        return [
            found[neighbour] for neighbour in sorted(found, key=lambda one: (one.name, str(one.migrations)))
        ]

    @cached_property
    def _shipped(self) -> list[_Known]:
        """What no entry point names: folders with a telling name in what distributions say they ship."""
        found = []
        for dist in self._distributions:
            root = Path(str(dist.locate_file(""))).resolve()
            try:
                names = sorted(set(_SHIPPED.findall(dist.read_text("RECORD") or "")))
            except (OSError, ValueError):
                continue
            for tree in _trees(*(root / name for name in names)):
                places = [locate_in(folder, [root]) for folder in tree.folders]
                neighbour = Neighbour(
                    name=branch_names(places[:1])[0], migrations=named(places), recursive=tree.recursive
                )
                found.append(_Known(neighbour=neighbour, folder=Path(tree.folder), names=_names(tree)))
        return sorted(found, key=lambda one: str(one.neighbour.migrations))


def _trees(*folders: Path) -> tuple[Tree, ...]:
    found = revision_folders(folders)
    return group({folder: [read(file, execute=False) for file in files] for folder, files in found.items()})


def _names(tree: Tree) -> frozenset[str]:
    headers = [file.header for file in tree.files if file.header is not None]
    return frozenset(
        name for header in headers if header.revision for name in (header.revision, *header.branch_labels)
    )


def _folder(package: str, inner: str) -> Path | None:
    """Where ``package:inner`` lies, without importing anything."""
    top, *parts = package.split(".")
    if not is_there(top):
        return None
    for name in dict.fromkeys((inner, inner.replace(".", "/"))):  # entry points have no slashes
        for place in places_of(top):
            folder = Path(os.path.join(place, *parts, name))
            if folder.is_dir() and revision_folders([folder]):
                return folder.resolve()
    return None
