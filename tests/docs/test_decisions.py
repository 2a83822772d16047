"""The decisions in docs/adr are called by their numbers, from code and pages too."""

from __future__ import annotations

from pathlib import Path

FILES = sorted((Path(__file__).parents[2] / "docs" / "adr").glob("*.md"))


def test_decisions_are_numbered_through() -> None:
    """No number is given twice or left out, and each heading begins with that of its file."""
    assert [file.name[:4] for file in FILES] == [f"{number:04}" for number in range(len(FILES))]
    headings = [file.read_text().partition(".")[0] for file in FILES[1:]]
    assert headings == [f"# {file.name[:4]}" for file in FILES[1:]]
