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

    folders: tuple[str, ...]
    """The folders that the mount names: what Alembic calls script location, or version locations."""
    recursive: bool
    """Whether its revisions lie in nested folders."""
    files: tuple[RevisionFile, ...]
    """Its revision files, sorted by path."""

    @property
    def folder(self) -> str:
        """The first of its folders."""
        return self.folders[0]


def group(folders: Mapping[str, Sequence[RevisionFile]]) -> tuple[Tree, ...]:
    """Put folders together that are nested, or whose revisions are linked with each other.

    A folder in which nothing binds what a revision does, as beside a template of one, is none.
    """
    folders = {folder: files for folder, files in folders.items() if any(map(_may_be_revision, files))}
    scripts: dict[str, list[str]] = {}
    for folder in sorted(folders):
        scripts.setdefault(_script_location(folder, folders), []).append(folder)
    together = {script: [script] for script in scripts}
    for one, other in _linked(scripts, folders):
        if (first := together[one]) is not (second := together[other]):
            first += second
            together.update(dict.fromkeys(second, first))
    trees = {tuple(sorted(members)) for members in together.values()}
    return tuple(_tree(tree, scripts, folders) for tree in sorted(trees))


def _may_be_revision(file: RevisionFile) -> bool:
    header = file.header
    return header is None or header.revision is not None or header.down_revision is not None


def _tree(
    tree: tuple[str, ...],
    scripts: Mapping[str, Sequence[str]],
    folders: Mapping[str, Sequence[RevisionFile]],
) -> Tree:
    members = [(script, member) for script in tree for member in scripts[script]]
    files = sorted((file for _, member in members for file in folders[member]), key=lambda file: file.path)
    recursive = any(member not in (script, f"{script}/versions") for script, member in members)
    return Tree(folders=tree, recursive=recursive, files=tuple(files))


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
