"""The revision files of a branch: the same that Alembic's ScriptDirectory would find, read in one go."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final

from corehost.alembic.headers import read_header, unreadable
from corehost.alembic.pattern import Header
from corehost.core.branch import Branch
from corehost.core.errors import AmbiguousRevisionError, RevisionFileError
from corehost.core.revision import Revision

_LEGACY_NAME: Final = re.compile(r"([a-f0-9]+)\.py")
_ILLEGAL: Final = frozenset("@-+:")
_CACHED: Final = re.compile(rf"[^.]+\.{re.escape(sys.implementation.cache_tag or '')}\.pyc")
_DECLARED: Final = re.compile(rb"^down_revision\b", re.MULTILINE)


def read_tree(branch: Branch) -> tuple[Revision, ...]:
    """Every revision of a branch, in the order of the folders and of the files' names.

    Raises RevisionFileError for a folder or file that is wrong, and AmbiguousRevisionError where two
    files have the same revision id.
    """
    revisions: dict[str, Revision] = {}
    for path in revision_files(branch):
        revision = read_revision(path, branch)
        other = revisions.setdefault(revision.revision, revision)
        if other is not revision:
            raise AmbiguousRevisionError(
                f"revision {revision.revision} is in two files, {other.path} and {path}",
                where=branch.origin.where(branch=branch.name, file=path),
                hint="remove one of them, or give it a revision id of its own",
            )
    return tuple(revisions.values())


def revision_files(branch: Branch) -> tuple[str, ...]:
    """The real paths of a branch's revision files; the same file twice counts once.

    A ``.pyc`` beside the sources whose ``.py`` is not there is one; with the option ``sourceless`` what this
    Python has compiled into ``__pycache__`` is, too. Raises RevisionFileError for a folder that cannot be
    read, or whose revisions all lie where nobody looks.
    """
    found: dict[str, None] = {}
    for location in branch.locations:
        root = os.path.realpath(location)
        try:
            files = tuple(_files(root, branch.recursive, branch.sourceless))
            if not files:
                _look_deeper(root, branch)
            found.update(dict.fromkeys(files))
        except OSError as error:
            where = branch.origin.where(branch=branch.name, file=error.filename or root)
            raise unreadable(error, where) from None
    return tuple(found)


def read_revision(path: str, branch: Branch) -> Revision:
    """One revision file's header as a value; raises RevisionFileError."""
    return as_revision(read_header(path, branch), path, branch)


def as_revision(header: Header, path: str, branch: Branch) -> Revision:
    """The same of a header that was read already; raises RevisionFileError for what Alembic would refuse."""
    revision = header.revision
    if revision is None:
        legacy = _LEGACY_NAME.fullmatch(os.path.basename(path))
        if legacy is None:
            raise _wrong(
                "the file has no revision id",
                "assign revision in it, or move what is not a revision out of the folder",
                path=path,
                branch=branch,
            )
        revision = legacy[1]
    down_revision = header.down_revision
    if down_revision is None:
        raise _wrong(
            "the file has no down_revision",
            "write down_revision = None for a first revision",
            path=path,
            branch=branch,
            revision=revision,
        )
    if problem := _problem(revision, down_revision, header.depends_on):
        raise _wrong(*problem, path=path, branch=branch, revision=revision)
    return Revision(
        revision=revision,
        down_revision=_distinct(down_revision),
        depends_on=_distinct(header.depends_on),
        branch_labels=_distinct(header.branch_labels),
        message=header.message,
        path=path,
    )


def _files(folder: str, recursive: bool, sourceless: bool = False) -> Iterator[str]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    folders = []
    names = {entry.name.partition(".")[0] for entry in entries}
    for entry in entries:
        path = entry.path
        if entry.is_symlink():
            # Alembic goes by the name of the file behind a link, and follows no link to a folder.
            path = os.path.realpath(path)
            if os.path.isdir(path):
                continue
        elif entry.is_dir():
            folders.append(path)
            continue
        name = os.path.basename(path)
        if name.startswith((".#", "__init__")):
            continue
        if name.endswith(".py") or (name.endswith(".pyc") and not os.path.exists(path[:-1])):
            yield path
    if recursive:
        for path in folders:
            if not path.endswith("__pycache__"):
                yield from _files(path, recursive, sourceless)
    if sourceless:
        yield from _compiled(os.path.join(folder, "__pycache__"), names)


def _compiled(folder: str, but: Container[str]) -> Iterator[str]:
    """What this Python has compiled, where nothing of that name lies beside the folder."""
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            if (
                _CACHED.fullmatch(name)
                and not name.startswith("__init__")
                and name.partition(".")[0] not in but
            ):
                yield os.path.join(folder, name)


def _look_deeper(folder: str, branch: Branch) -> None:
    """Refuse a folder without a revision whose revisions lie where nobody looks.

    Alembic would say nothing, and a host that has forgotten a setting would be ready without any table.
    """
    where = branch.origin.where(branch=branch.name, file=folder)
    if not branch.recursive and (nested := sum(map(_declares, _files(folder, True)))):
        raise RevisionFileError(
            f"no revision file lies in the folder itself, but {nested} in folders inside it",
            where=where,
            hint="say recursive = true",
        )
    cache = os.path.join(folder, "__pycache__")
    if (
        branch.sourceless
        and os.path.isdir(cache)
        and any(name.endswith(".pyc") for name in os.listdir(cache))
    ):
        raise RevisionFileError(
            f"what lies in its __pycache__ is of another Python than {sys.implementation.cache_tag}",
            where=where,
            hint="compile it with the Python that runs it",
        )


def _declares(path: str) -> bool:
    with open(path, "rb") as file:
        return _DECLARED.search(file.read()) is not None


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names))) if names else names


def _problem(
    revision: str, down_revision: tuple[str, ...], depends_on: tuple[str, ...]
) -> tuple[str, str] | None:
    """What Alembic would refuse in a header, and what to do about it."""
    if not revision:
        return "the revision id is empty", "give the revision an id"
    if not _ILLEGAL.isdisjoint(revision):
        illegal = ", ".join(sorted(_ILLEGAL.intersection(revision)))
        return f"revision id {revision!r} has characters that Alembic refuses: {illegal}", "choose another id"
    if revision in down_revision:
        return f"revision {revision} is its own down_revision", "name its parent, or None for the first"
    if revision in depends_on:
        return (
            f"revision {revision} depends on itself",
            f"write plugin@{revision} for the revision of that id in another branch",
        )
    if "" in down_revision:
        return "down_revision is an empty text", "write down_revision = None for a first revision"
    return None


def _wrong(
    message: str, hint: str, *, path: str, branch: Branch, revision: str | None = None
) -> RevisionFileError:
    where = replace(branch.origin.where(branch=branch.name, file=path), revision=revision)
    return RevisionFileError(message, where=where, hint=hint)
