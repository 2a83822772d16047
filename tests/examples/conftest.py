"""Fixtures of the example plugins' tests: the plugins installed, and hosts that have some of them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest

from corehost import Host

EXAMPLES = Path(__file__).parents[2] / "example_plugins"

HostFactory = Callable[..., Host]


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example is installed: where the environment has it not, its source stands in the path."""
    missing = [folder for folder in sorted(EXAMPLES.iterdir()) if not _is_installed(folder.name)]
    for folder in missing:
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        (info / "entry_points.txt").write_text(_entry_points(project["entry-points"]))
        monkeypatch.syspath_prepend(folder / "src")
    monkeypatch.syspath_prepend(site)


@pytest.fixture
def host_of(installed: None, database: str) -> HostFactory:
    """A function that makes a host with the named examples only, on the test's database."""

    def make(*plugins: str, **settings: Any) -> Host:
        return Host.from_config(database_url=database, plugins=plugins, **settings)

    return make


def _is_installed(name: str) -> bool:
    try:
        importlib_metadata.distribution(f"corehost-example-{name}")
    except importlib_metadata.PackageNotFoundError:
        return False
    return True


def _entry_points(groups: dict[str, dict[str, str]]) -> str:
    return "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in groups.items()
    )
