"""A folder of revision files, as one branch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from corehost.core.branch import Branch, Origin
from corehost.core.namespace import Namespace
from support.revision_files import FIRST, MakeBranch, Write


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """The folder of the branch's revision files, without links in its path."""
    folder = tmp_path.resolve() / "versions"
    folder.mkdir()
    return folder


@pytest.fixture
def write(versions: Path) -> Write:
    """Writes a file into the folder, or below it."""

    def write_file(name: str, content: str | bytes = FIRST) -> Path:
        path = versions / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def make_branch(versions: Path) -> MakeBranch:
    """Makes the branch ``billing`` of the distribution ``acme-billing`` 1.4, whose folder is ``versions``."""

    def make(**given: Any) -> Branch:
        fields = {
            "name": "billing",
            "namespace": Namespace(schema="billing", version_table="alembic_version"),
            "locations": (versions,),
            "script_location": versions.parent,
            "origin": Origin(distribution="acme-billing", version="1.4"),
        }
        return Branch(**(fields | given))

    return make
