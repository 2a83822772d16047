"""A folder for temporary files that says who is still using it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 600.0
"""How long a demo is waited for, in seconds; a bound, never a measure."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder for temporary files of one demo."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make it that."""
        return {"TMPDIR": str(self.folder)}

    def files(self) -> list[str]:
        """What is in it."""
        return sorted(os.listdir(self.folder))

    def processes(self) -> list[str]:
        """The processes that name it, in their arguments or their environment."""
        command = ["ps", "axeww", "-o", "pid=", "-o", "args="]
        listed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
        return [line for line in listed.splitlines() if str(self.folder) in line]


@contextmanager
def temporary_place() -> Iterator[Place]:
    """An empty one."""
    # not below pytest's own folder, which is closed to the user that root runs PostgreSQL as
    with tempfile.TemporaryDirectory(prefix="corehost-tests-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Place(folder=Path(folder))


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty folder for one test's demo."""
    with temporary_place() as place:
        yield place
