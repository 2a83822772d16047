"""Takes folders out of zip files that packages are imported from, as Alembic does for its resources."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path, PurePosixPath


def unzipped(place: str, folder: str) -> Path | None:
    """The content of ``folder`` of a package at ``place`` (``…/shop.zip/shop``), in a folder of its own.

    It is private to this user and lives as long as this process; the same content is taken out once. None
    where the place is in no zip file, or has no such folder. Raises OSError and zipfile.BadZipFile.
    """
    archive = next((path for path in (Path(place), *Path(place).parents) if path.is_file()), None)
    if archive is None or not zipfile.is_zipfile(archive):
        return None
    inner = PurePosixPath(*Path(place).relative_to(archive).parts, *PurePosixPath(folder).parts)
    found = archive.stat()
    return _taken_out(archive.resolve(), found.st_size, found.st_mtime_ns, inner)


@cache
def _taken_out(archive: Path, size: int, changed: int, inner: PurePosixPath) -> Path | None:
    """``size`` and ``changed`` tell another zip file of that name from this one."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if PurePosixPath(name).is_relative_to(inner)]
        names = [name for name in names if name.rstrip("/") != str(inner)]
        if not names:
            return None
        root = Path(tempfile.mkdtemp(prefix="corehost-"))
        atexit.register(_remove, root, os.getpid())
        opened.extractall(root, names)
    return root / inner


def _remove(root: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child that ends must not take the folder from its parent
        shutil.rmtree(root, ignore_errors=True)
