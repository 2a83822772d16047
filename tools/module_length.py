"""Fails where a module has grown too long to be read in one go: ``module_length.py FOLDER …``."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 300


def too_long(folders: list[str]) -> list[str]:
    """One line for each module of more than LIMIT lines, longest first."""
    files = [file for folder in folders for file in Path(folder).rglob("*.py")]
    lengths = sorted(((len(file.read_text().splitlines()), str(file)) for file in files), reverse=True)
    return [f"{file}: {length} lines, more than {LIMIT}" for length, file in lengths if length > LIMIT]


if __name__ == "__main__":
    sys.exit("\n".join(too_long(sys.argv[1:])) or None)
