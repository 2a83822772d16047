"""The shop that the commands are tried in."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.processes import Processes
from support.shop import Shop


@pytest.fixture
def shop(processes: Processes, site: Path, tmp_path: Path, database: str) -> Shop:
    """A shop with nothing installed, on an empty database."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shop(processes=processes, site=site, folder=folder, database=database)
