"""The page about real migrations is what was found when they ran."""

from __future__ import annotations

from corpora.results import PAGE, read, rendered


def test_page_shows_the_results_as_they_were_found() -> None:
    """Nobody has changed the page by hand, and none is older than the results and the families."""
    assert PAGE.read_text() == rendered(read())
