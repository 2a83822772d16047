"""The table of faults names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if "| tests/" in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_promise_is_shown_by_tests(row: str) -> None:
    """Each row's last column names files with tests in them."""
    named = re.findall(r"tests/\w+/\w+\.py", row)
    assert named
    for file in named:
        assert "def test_" in (ROOT / file).read_text(), file
