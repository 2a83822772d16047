"""The page about real migrations is what was found when they ran."""

from __future__ import annotations

import pytest

from corpora.family import Family, names
from corpora.results import PAGE, VERSIONS, expected, key, read, rendered


def test_page_shows_the_results_as_they_were_found() -> None:
    """Nobody has changed the page by hand, and none is older than the results and the families."""
    assert PAGE.read_text() == rendered(read())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", names())
def test_every_family_was_tried_as_it_is_declared(name: str, version: str) -> None:
    """What is installed and configured has not changed since, and came out as its file says."""
    family, found = Family.read(name), read()[key(name, version)]
    assert found["definition"] == family.definition
    assert expected(family, version, found), found
