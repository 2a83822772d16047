"""An environment of a family's own: its packages, and this corehost."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from corpora.family import Family

ROOT = Path(__file__).parents[2]
_OURS = ("-e", str(ROOT))


class CannotInstall(Exception):
    """What the installer said."""


def environment_of(family: Family, cache: Path) -> Path:
    """The Python of the family's environment below ``cache``, made where it is not there or is another's.

    Raises:
        CannotInstall: a package cannot be had, or they do not go together.
    """
    wanted = [family.alone, family.with_dependencies, family.beside, sys.version]
    folder = cache / family.name / hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _install(python, *_OURS, *family.with_dependencies, *family.beside)
        if family.alone:
            _install(python, "--no-deps", *family.alone)
        (folder / "complete").touch()
    return python


def _install(python: Path, *what: str) -> None:
    _uv("pip", "install", "--quiet", "--python", str(python), *what)


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if uv is None:
        raise CannotInstall("there is no uv")
    # Each family's processes compile what they import in their first run; the rest need not be.
    env = {key: value for key, value in os.environ.items() if key != "UV_COMPILE_BYTECODE"}
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise CannotInstall(done.stderr.strip())
