"""Discovery in entry-point groups of the tests' own, whatever else is installed beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from corehost import DiscoveryError, Settings
from corehost.discovery import Discovery, FoundPlugin, discover, inspect

PLUGINS = "tests.plugins"
MIGRATIONS = "tests.migrations"


class Install(Protocol):
    """Installs one throw-away package on this process's path; what it takes is write_plugin's."""

    def __call__(self, name: str, **given: Any) -> Path: ...


def own_settings(**given: Any) -> Settings:
    """Settings that look at the tests' own groups."""
    return Settings(**{"plugin_groups": [PLUGINS], "migration_groups": [MIGRATIONS], **given})


def find(**given: Any) -> Discovery:
    """Discover with these settings."""
    return discover(own_settings(**given))


def survey(**given: Any) -> Discovery:
    """Inspect with these settings."""
    return inspect(own_settings(**given))


def refusal(**given: Any) -> DiscoveryError:
    """What discovery refuses these settings with."""
    with pytest.raises(DiscoveryError) as caught:
        find(**given)
    return caught.value


def row(discovery: Discovery, name: str) -> FoundPlugin:
    """The only row of that name."""
    (found,) = (found for found in discovery.found if found.name == name)
    return found


def names(discovery: Discovery) -> list[str]:
    """The names of its branches."""
    return [branch.name for branch in discovery.branches]


def complaint(name: str, **given: Any) -> str:
    """What inspection says is wrong with a plugin, and nothing else."""
    return "; ".join(row(survey(**given), name).problems)
