"""Revision files written for a test, and the branch that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from corehost.core.branch import Branch
from corehost.core.errors import Where

FIRST = 'revision = "a1"\ndown_revision = None\n'
"""The header of a first revision."""
WHERE = Where(file="0001.py")
"""A file that need not exist."""


class Write(Protocol):
    """Writes a file below the branch's folder: by default the header of a first revision."""

    def __call__(self, name: str, content: str | bytes = FIRST) -> Path: ...


class MakeBranch(Protocol):
    """Makes the branch of that folder; what it takes are fields of Branch."""

    def __call__(self, **given: Any) -> Branch: ...


def header(revision: str, down_revision: str | None = None) -> str:
    """The header of one revision."""
    return f"revision = {revision!r}\ndown_revision = {down_revision!r}\n"
