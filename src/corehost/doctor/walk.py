"""Looks through folders and zip files for revision files."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_HEADER = re.compile(rb"^down_revision[ \t]*+(?::[^=\n]++)?=", re.MULTILINE)
_LEGACY = re.compile(rb"^revision[ \t]*+(?::[^=\n]++)?=", re.MULTILINE)
_UPGRADE = re.compile(rb"^(?:async )?def upgrade\b", re.MULTILINE)
_PASSED_BY = frozenset(("__pycache__", "node_modules", "site-packages", "build", "dist"))


def revision_folders(roots: Iterable[Path]) -> Mapping[str, tuple[str, ...]]:
    """Folder -> its files that look like revisions; zip files count as folders, and are looked into."""
    found: dict[str, list[str]] = {}
    for root in roots:
        for path, data in _zipped(root) if root.is_file() else _on_disk(str(root)):
            if looks_like_revision(path, data):
                found.setdefault(os.path.dirname(path), []).append(path)
    return {folder: tuple(sorted(set(files))) for folder, files in sorted(found.items())}


def looks_like_revision(path: str, data: bytes) -> bool:
    """Whether a file has what a revision has: an id and a parent, or an id and an upgrade."""
    if path.endswith(".pyc"):
        return b"down_revision" in data and b"upgrade" in data
    if b"revision" not in data:
        return False
    return bool(_HEADER.search(data) or (_LEGACY.search(data) and _UPGRADE.search(data)))


def read_file(path: str) -> bytes:
    """The content of a file, which may lie in a zip file."""
    if (archive := archive_of(Path(path))) is not None:
        with zipfile.ZipFile(archive) as opened:
            return opened.read(Path(path).relative_to(archive).as_posix())
    return Path(path).read_bytes()


def is_package(folder: Path) -> bool:
    """Whether a folder, which may lie in a zip file, is a package and not only a part of a namespace."""
    if folder.is_dir():
        return (folder / "__init__.py").is_file()
    try:
        read_file(str(folder / "__init__.py"))
    except (OSError, KeyError, zipfile.BadZipFile):
        return False
    return True


def archive_of(path: Path) -> Path | None:
    """The zip file that a path lies in."""
    return next((parent for parent in path.parents if parent.is_file()), None)


def is_zipped(folder: str) -> bool:
    """Whether a folder lies in a zip file."""
    return not os.path.isdir(folder)


def _on_disk(root: str) -> Iterator[tuple[str, bytes]]:
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not _is_passed_by(folder, name))
        for name in sorted(files):
            if not name.endswith((".py", ".pyc")) or name.startswith((".#", "__init__")):
                continue
            if name.endswith(".pyc") and name[:-1] in files:
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, "rb", buffering=0) as file:
                    yield path, file.read()
            except OSError:
                continue  # in a folder with revisions, corehost's own reading tells of it


def _is_passed_by(folder: str, name: str) -> bool:
    if name in ("build", "dist") and not os.path.exists(os.path.join(folder, "pyproject.toml")):
        return False
    return (
        name in _PASSED_BY or name.startswith(".") or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
    )


def _zipped(root: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(root) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".py") and not name.rpartition("/")[2].startswith("__init__"):
                    yield f"{root}/{name}", archive.read(name)
    except (OSError, zipfile.BadZipFile):
        return
