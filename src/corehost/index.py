"""The index: what a look needs to know of what is installed, kept between two starts.

An answer is as old as the files that it came from: each is looked at (never opened) before the answer is
believed. Where anything is different, or cannot be read, there is no answer, and everything is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corehost.core.branch import Branch
from corehost.core.namespace import Namespace
from corehost.core.settings import Settings
from corehost.core.version import VERSION

if TYPE_CHECKING:
    from corehost.installation import Installation

FOLDER_VARIABLE: Final = "COREHOST_CACHE_DIR"
RACY: Final = 2.0
"""Seconds: a file that is younger may change again without its size or time telling."""
_METADATA: Final = (".dist-info", ".egg-info", ".egg-link", ".pth")
_NOT_RENAMED: Final = ".egg-info"
"""In a source tree; another version leaves its name, and often its entry points, as they were."""
_VERSIONS: Final = frozenset({"versions"})
_RUN_TIME: Final = frozenset(
    {"database_url", "migration_url", "database_url_file", "migration_url_file", "config_file"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedBranch:
    """One branch, and the rows of its version table where nothing of it is pending."""

    name: str
    namespace: Namespace
    rows: tuple[str, ...]


def folder() -> Path:
    """Where the index is kept."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corehost")


def find(settings: Settings) -> tuple[IndexedBranch, ...] | None:
    """The branches that are installed, where the index knows them and nothing has changed since."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):
        content = _read(_file(settings))
        if content is not None and _digest(content["sources"])[0] == content["digest"]:
            return tuple(
                IndexedBranch(
                    name=name,
                    namespace=Namespace(schema=schema, version_table=table),
                    rows=tuple(rows),
                )
                for name, schema, table, rows in content["branches"]
            )
    return None


def keep(installation: Installation) -> Path | None:
    """Write what is installed into the index; None where that is not possible, or would not be safe.

    It is not where anything was changed shortly before, or since, the installation was read.
    """
    if installation.skipped:
        return None  # every start is to say that a plugin is left out
    if any(tree.branch.sourceless for tree in installation.graph.trees.values()):
        return None  # nobody looks into the folders that Python compiles into
    sources = _sources(installation)
    with contextlib.suppress(OSError, RuntimeError):
        digest, newest = _digest(sources)
        if max(newest, _last_moved(sources)) > installation.read_at - RACY:
            return None
        branches = [
            [
                name,
                tree.branch.namespace.schema,
                tree.branch.namespace.version_table,
                tree.rows_of(tree.wanted),
            ]
            for name, tree in sorted(installation.graph.trees.items())
        ]
        file = _file(installation.settings)
        _write(file, {"digest": digest, "sources": sources, "branches": branches})
        return file
    return None


def _file(settings: Settings) -> Path:
    """One file for each program, environment and configuration."""
    shown = {item.name: repr(getattr(settings, item.name)) for item in fields(settings)}
    given = [VERSION, sys.version, sys.path, {k: v for k, v in shown.items() if k not in _RUN_TIME}]
    return folder() / f"{hashlib.sha256(json.dumps(given).encode()).hexdigest()[:32]}.json"


def _sources(installation: Installation) -> dict[str, Any]:
    """All that the answer came from: the folders of sys.path, modules, folders of revision files.

    By the names that lead there, links included: a link may lead to another release by the next start.
    """
    branches = [tree.branch for tree in installation.graph.trees.values()]
    folders = {os.path.abspath(place): b.recursive for b in branches for place in b.locations}
    return {
        "path": sys.path,
        "names": sorted(installation.packages),
        "modules": sorted(installation.modules),
        "scripts": sorted({os.path.abspath(place) for b in branches for place in _scripts(b)}),
        "folders": sorted(folders.items()),
    }


def _scripts(branch: Branch) -> Iterator[Path]:
    """The folders in which ``versions`` may come or go."""
    yield branch.script_location
    for place in branch.locations:
        yield place.parent if place.name in _VERSIONS else place


def _digest(sources: Mapping[str, Any]) -> tuple[str, float]:
    """What the sources look like now, as one number, and when the newest of them was changed."""
    found = hashlib.blake2b(digest_size=20)
    newest = 0
    names = frozenset(sources["names"])
    looks = [_look_of_path(place, names) for place in sources["path"]]
    looks += [_look_of_path(place, _VERSIONS) for place in sources["scripts"]]
    looks += [_look_of_files(sources["modules"])]
    looks += [_look_of_folder(place, recursive=recursive) for place, recursive in sources["folders"]]
    for look in looks:
        for name, size, changed in look:
            found.update(f"{name}\0{size}\0{changed}\n".encode(errors="surrogateescape"))
            newest = max(newest, changed)
    return found.hexdigest(), newest / 1e9


def _last_moved(sources: Mapping[str, Any]) -> float:
    """When a distribution, or a revision file, last came or went."""
    folders = [place for place in sources["path"] if _has_metadata(place)]
    folders += [*sources["scripts"], *(place for place, _ in sources["folders"])]
    return max(_size_and_time(place)[1] for place in folders) / 1e9


def _has_metadata(place: str) -> bool:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(place or ".") as entries:
        return any(entry.name.endswith(_METADATA) for entry in entries)
    return False


def _look_of_path(place: str, names: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """What of a folder of sys.path matters: metadata of distributions, and where packages are found."""
    try:
        entries = sorted(os.scandir(place or "."), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        yield (place, *_size_and_time(place))  # a zip file, or nothing
        return
    for entry in entries:
        if entry.name.endswith(_METADATA):
            file = entry.path if entry.name.endswith(_METADATA[2:]) else f"{entry.path}/entry_points.txt"
            yield (entry.path, *_size_and_time(file))
            if entry.name.endswith(_NOT_RENAMED):
                yield (entry.path, *_size_and_time(f"{entry.path}/PKG-INFO"))
        elif entry.name.partition(".")[0] in names:
            yield entry.path, 0, 0


def _look_of_files(files: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for file in files:
        yield (file, *_size_and_time(file))


def _look_of_folder(place: str, *, recursive: bool) -> Iterator[tuple[str, int, int]]:
    for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".pyc")):
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns
        elif recursive and entry.is_dir() and entry.name != "__pycache__":
            yield from _look_of_folder(entry.path, recursive=True)


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return -1, 0
    return found.st_size, found.st_mtime_ns


def _read(file: Path) -> Any:
    with open(file, "rb") as opened:
        owner = os.fstat(opened.fileno())
        # Nobody but this user, and who installs, is to say what is installed.
        if owner.st_uid not in (0, os.geteuid()) or owner.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        return json.loads(opened.read())


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """In one piece: others read it, and write the same, at the same time."""
    import tempfile  # and all that it needs: a look that finds what it looks for writes nothing

    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}")
    try:
        with os.fdopen(handle, "w") as opened:
            json.dump(content, opened)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
