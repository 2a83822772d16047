"""A host in this process, with plugins written for the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.packages import OWN_GROUP, create_table, revision_source, spec, write_plugin

Install = Callable[..., None]

HOOKS = """
import builtins


@corehost.hookimpl
def corehost_startup(host):
    builtins.told.append("{name} up")
    {up}


@corehost.hookimpl
def corehost_shutdown(host):
    {down}
    builtins.told.append("{name} down")
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the plugins' hooks say."""
    heard: list[str] = []
    monkeypatch.setattr("builtins.told", heard, raising=False)
    return heard


@pytest.fixture
def install(site: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes a plugin with one table into a folder of sys.path, and an entry point unless told otherwise.

    ``up`` and ``down`` are statements of its start-up and shut-down hooks.
    """
    monkeypatch.syspath_prepend(site)
    names: set[str] = set()

    def install(
        name: str, *, up: str = "pass", down: str = "pass", installed: bool = True, **given: Any
    ) -> None:
        names.add(name)
        source = revision_source(f"{name}1", upgrade=given.pop("upgrade", create_table("t")))
        write_plugin(
            site,
            name,
            spec_source=given.pop("spec_source", None) or spec(name, **given),
            revisions={"1": source},
            hooks=HOOKS.format(name=name, up=up, down=down),
            entry_points={OWN_GROUP: {name: f"{name}.corehost_plugin"}} if installed else {},
        )

    yield install
    for name in set(sys.modules):
        if name.partition(".")[0] in names:
            del sys.modules[name]


@pytest.fixture
def settings(database: str) -> dict[str, Any]:
    """The settings of a host that knows these plugins and no others."""
    return {"database_url": database, "plugin_groups": [OWN_GROUP], "migration_groups": []}
