"""A newer version of an installed plugin, for those who import from its folder first."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from corehost.core.tree import BranchTree

PLUGIN: Final = "search"
DISTRIBUTION: Final = "corehost-example-search"

_REVISION: Final = "c4e81f9a6d27"
_SOURCE: Final = '''"""Add the language of a document."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a nullable column: no rewrite, and older instances go on writing rows without it."""
    op.add_column("documents", sa.Column("language", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("documents", "language")
'''


def write_newer_version(installed: BranchTree, folder: Path) -> str:
    """Copy the example plugin and its metadata into an empty folder, with one more revision.

    Returns the new version.
    """
    import importlib_metadata
    from packaging.version import Version

    distribution = importlib_metadata.distribution(DISTRIBUTION)
    old = Version(distribution.version)
    new = f"{old.major}.{old.minor + 1}.0"
    package = _package_folder(installed)
    copy = folder / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    versions = copy / installed.branch.locations[0].relative_to(package)
    source = _SOURCE.format(revision=_REVISION, down_revision=installed.target_heads[0])
    (versions / f"{_REVISION}_add_language.py").write_text(source)

    metadata = folder / f"{DISTRIBUTION.replace('-', '_')}-{new}.dist-info"
    metadata.mkdir()
    header = (distribution.read_text("METADATA") or "").replace(
        f"\nVersion: {distribution.version}\n", f"\nVersion: {new}\n", 1
    )
    (metadata / "METADATA").write_text(header)
    (metadata / "entry_points.txt").write_text(distribution.read_text("entry_points.txt") or "")
    files = [path for path in (*copy.rglob("*"), *metadata.iterdir()) if path.is_file()]
    record = [f"{path.relative_to(folder)},," for path in files] + [f"{metadata.name}/RECORD,,"]
    (metadata / "RECORD").write_text("\n".join(record) + "\n")
    return new


def _package_folder(installed: BranchTree) -> Path:
    """The import package around the revision files, wherever an editable install has it."""
    location = installed.branch.locations[0]
    return next(folder for folder in location.parents if (folder / "corehost_plugin.py").exists())
