"""Which folders of revision files are one migration tree, and which folder its mount names: pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from corehost.doctor.revision_file import RevisionFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """One migration tree."""

    folder: str
    """The folder that the mount names: what Alembic calls the script location."""
    recursive: bool
    """Whether its revisions lie in nested folders."""
    files: tuple[RevisionFile, ...]
    """Its revision files, sorted by path."""


def group(folders: Mapping[str, Sequence[RevisionFile]]) -> tuple[Tree, ...]:
    """Put folders together that are nested, or whose revisions are linked with each other.

    A folder in which nothing binds what a revision does, as beside a template of one, is none.
    """
    folders = {folder: files for folder, files in folders.items() if any(map(_may_be_revision, files))}
    groups: dict[str, list[str]] = {}
    for folder in sorted(folders):
        groups.setdefault(_script_location(folder, folders), []).append(folder)
    for one, other in _linked(groups, folders):
        if one in groups and other in groups and one != other:
            members = groups.pop(one) + groups.pop(other)
            groups.setdefault(os.path.commonpath([one, other]), []).extend(members)
    return tuple(_tree(script, members, folders) for script, members in sorted(groups.items()))


def _may_be_revision(file: RevisionFile) -> bool:
    header = file.header
    return header is None or header.revision is not None or header.down_revision is not None


def _tree(script: str, members: Sequence[str], folders: Mapping[str, Sequence[RevisionFile]]) -> Tree:
    files = sorted((file for member in members for file in folders[member]), key=lambda file: file.path)
    recursive = any(member not in (script, f"{script}/versions") for member in members)
    return Tree(folder=script, recursive=recursive, files=tuple(files))


def _script_location(folder: str, folders: Iterable[str]) -> str:
    """The folder above ``versions``; without one, the outermost folder around it with revisions."""
    path = PurePosixPath(folder)
    versions = [place for place in (path, *path.parents) if place.name == "versions"]
    if versions:
        return str(versions[0].parent)
    known = set(folders)
    outer = folder
    while (parent := os.path.dirname(outer)) != outer and parent in known:
        outer = parent
    return outer


def _linked(
    groups: Mapping[str, Sequence[str]], folders: Mapping[str, Sequence[RevisionFile]]
) -> list[tuple[str, str]]:
    """Pairs of groups of which one has a revision whose parent only the other one has."""
    owners: dict[str, set[str]] = {}
    headers = [
        (script, file.header)
        for script, members in groups.items()
        for member in members
        for file in folders[member]
        if file.header is not None
    ]
    for script, header in headers:
        if header.revision is not None:
            owners.setdefault(header.revision, set()).add(script)
    pairs: list[tuple[str, str]] = []
    for script, header in headers:
        for parent in header.down_revision or ():
            having = owners.get(parent, set())
            if len(having) == 1 and script not in having:
                pairs.append((script, next(iter(having))))
    return sorted(set(pairs))
