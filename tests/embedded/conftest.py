"""Folders that PostgreSQL's own user can reach, and what uses a server in them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore = [] if os.geteuid() == 0 else ["test_as_root.py"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder with a short path that every user can enter, unlike ``tmp_path``."""
    folder = Path(tempfile.mkdtemp(prefix="corehost-tests-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
