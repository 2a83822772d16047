"""Figures in the docs are those that the benchmarks wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.plots import FOLDER, digest
from benchmarks.table import ROOT, pages, read, rendered


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_the_results_as_they_were_measured(page: Path) -> None:
    """Nobody has changed a figure by hand, and each one that is shown has been measured."""
    text = page.read_text()
    assert rendered(text, read()) == text
    assert "Not measured yet" not in text


def test_plots_show_the_results_as_they_were_measured() -> None:
    """Each was drawn from the points that the results have now, and no other is there."""
    plots = {plot["name"]: plot for found in read().values() for plot in found.get("plots", ())}
    assert {file.stem for file in FOLDER.glob("*.svg")} == plots.keys()
    for name, plot in plots.items():
        assert digest(plot) in (FOLDER / f"{name}.svg").read_text()
