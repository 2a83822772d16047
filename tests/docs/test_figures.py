"""Figures in the docs are those that the benchmarks wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.plots import FOLDER, digest
from benchmarks.table import ROOT, pages, read, rendered


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_the_results_as_they_were_measured(page: Path) -> None:
    """Nobody has changed a figure by hand, and each one that is shown has been measured."""
    text = page.read_text()
    assert rendered(text, read()) == text
    assert "Not measured yet" not in text


PLOTS = [plot for found in read().values() for plot in found.get("plots", ())]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: str(plot["name"]))
def test_a_plot_shows_the_results_as_they_were_measured(plot: dict[str, Any]) -> None:
    """Each was drawn from the points that the results have now."""
    assert digest(plot) in (FOLDER / f"{plot['name']}.svg").read_text()
