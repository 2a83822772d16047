"""The three releases of an application and its plugin, installed each into a folder of its own.

One tree of each package is kept under ``packages``. A revision file begins with the release that first
shipped it; ``store_N.py`` is how the code of release N, and of later ones, reads and writes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

RELEASES = (1, 2, 3)
EXPAND = {1: ("c1", "p1"), 2: ("c2", "c3", "p2"), 3: ("c4",)}
"""The revisions that a release ships and that its own code needs."""
CONTRACT = {3: ("c5", "p3")}
"""Those that it ships for when nobody needs what older code did."""
_PACKAGES = Path(__file__).parent / "packages"
_FIRST = re.compile(r"(?:store_)?(\d)")


def install(folder: Path) -> Mapping[int, Path]:
    """Build and install every release; returns its folder for ``sys.path``."""
    for release, site in installed(folder).items():
        sources = [_cut(source, release, site.parent) for source in sorted(_PACKAGES.iterdir())]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
                *("--disable-pip-version-check", "--target", site, *sources),
            ],
            check=True,
        )
    return installed(folder)


def installed(folder: Path) -> Mapping[int, Path]:
    """Where :func:`install` has put each release."""
    return {release: folder / f"release-{release}" / "site" for release in RELEASES}


def _cut(source: Path, release: int, folder: Path) -> Path:
    """A package's source as it was in a release."""
    copy = folder / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    project = copy / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "0"', f'version = "{release}.0"'))
    stores = []
    for file in sorted(copy.rglob("*.py")):
        if (found := _FIRST.match(file.name)) is None:
            continue
        if int(found[1]) > release:
            file.unlink()
        elif file.name.startswith("store_"):
            stores.append(file)
    for older in stores[:-1]:
        older.unlink()
    stores[-1].rename(stores[-1].with_name("store.py"))
    return copy
