"""Packages from the registry, as they come from it, in a folder that outlives the run of the tests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".nox" / "packages"
"""Where the folders lie: one for each list of packages and each Python."""


def installed(requirements: Path) -> Path:
    """A folder for ``PYTHONPATH`` with what a requirements file lists, and nothing beside it.

    The first call for a list on a Python installs it, with pip, from the registry; several processes may ask
    at once. Raises CalledProcessError where that fails.
    """
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = CACHE / f"{sys.implementation.cache_tag}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as place:
                whole = Path(place, "whole")
                pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:")
                subprocess.run([*pip, "--target", whole, "-r", requirements], check=True)
                os.rename(whole, folder)
    return folder
