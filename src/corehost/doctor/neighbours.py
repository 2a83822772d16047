"""Other migration trees that are installed: by the entry points that name their folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import importlib_metadata

from corehost.doctor.revision_file import read
from corehost.doctor.subject import is_there, places_of
from corehost.doctor.walk import revision_folders

_LOOKS_LIKE = re.compile(r"alembic|migration", re.IGNORECASE)
_VALUE = re.compile(r"([A-Za-z_][\w.]*):([\w./-]+)")
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


def declared(entry_points: Iterable[Any]) -> Iterator[Declared]:
    """The folders that entry points name; groups that do not look like migrations are left out."""
    for entry in entry_points:
        if not _LOOKS_LIKE.search(f"{entry.group} {entry.value}") or entry.group == PLUGINS:
            continue
        if (match := _VALUE.fullmatch(entry.value)) is None:
            continue
        if (folder := _folder(match[1], match[2])) is not None:
            name = re.sub(r"[-.]", "_", entry.name).lower()
            yield Declared(name=name, group=entry.group, value=entry.value, folder=folder)


class Neighbours:
    """The trees that entry points of all installed distributions name."""

    def holder(self, wanted: str, *, but: Path) -> str | None:
        """The branch that has a revision of that id or label; None where none has."""
        label, _, inner = wanted.rpartition("@")
        for name, folder, names in self._trees:
            if folder != but and (wanted in names or (label in (name, *names) and inner in (*names, "head"))):
                return name
        return None

    @cached_property
    def _trees(self) -> list[tuple[str, Path, frozenset[str]]]:
        entries = importlib_metadata.entry_points()
        found = {(one.name, one.folder) for one in declared(entries)}
        return [(name, folder, _names(folder)) for name, folder in sorted(found)]


def _names(folder: Path) -> frozenset[str]:
    names: set[str] = set()
    for files in revision_folders([folder]).values():
        for file in files:
            header = read(file).header if file.endswith(".py") else None
            if header is not None and header.revision is not None:
                names |= {header.revision, *header.branch_labels}
    return frozenset(names)


def _folder(package: str, inner: str) -> Path | None:
    """Where ``package:inner`` lies, without importing anything."""
    top, *parts = package.split(".")
    if not is_there(top):
        return None
    for place in places_of(top):
        folder = Path(os.path.join(place, *parts, inner))
        if folder.is_dir() and revision_folders([folder]):
            return folder.resolve()
    return None


