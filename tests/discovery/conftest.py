"""Installed packages for discovery to find."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.finding import PLUGINS, Install
from support.packages import spec, write_plugin


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Puts folders first on the path; what is imported from the test's folder is forgotten after it."""
    yield lambda folder: monkeypatch.syspath_prepend(folder)
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", ()))]
        if any(place.startswith(str(tmp_path)) for place in places):
            del sys.modules[name]


@pytest.fixture
def install(site: Path, on_path: Callable[[Path], None]) -> Install:
    """Installs plugins with one revision; ``fields`` are those of its PluginSpec."""
    on_path(site)

    def install_one(name: str, **given: Any) -> Path:
        fields = given.pop("fields", {})
        given.setdefault("spec_source", spec(name, **fields))
        given.setdefault("revisions", {"0001": ""})
        given.setdefault("entry_points", {PLUGINS: {name: f"{name}.corehost_plugin"}})
        return write_plugin(given.pop("site", site), name, **given)

    return install_one


@pytest.fixture
def install_bare(site: Path, on_path: Callable[[Path], None]) -> Install:
    """Installs packages that know nothing of corehost, with one revision and no hook."""
    on_path(site)

    def install_one(name: str, **given: Any) -> Path:
        given.setdefault("revisions", {"0001": ""})
        return write_plugin(given.pop("site", site), name, **given)

    return install_one
