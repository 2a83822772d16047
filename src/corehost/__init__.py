"""A host runtime for plugins with tables.

Importing this package loads nothing else: each public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corehost.core.errors import (
        AmbiguousRevisionError,
        ConfigurationError,
        CorehostError,
        CycleError,
        DatabaseUnavailable,
        DiscoveryError,
        GraphError,
        IncompatibleDatabase,
        MigrationError,
        MissingRevisionError,
        PluginError,
        PoolerRefused,
        RevisionFileError,
        StepFailed,
        WaitTimedOut,
    )
    from corehost.core.settings import Settings
    from corehost.core.spec import PluginSpec
    from corehost.hookspecs import hookimpl, hookspec

__all__ = [
    "AmbiguousRevisionError",
    "ConfigurationError",
    "CorehostError",
    "CycleError",
    "DatabaseUnavailable",
    "DiscoveryError",
    "GraphError",
    "IncompatibleDatabase",
    "MigrationError",
    "MissingRevisionError",
    "PluginError",
    "PluginSpec",
    "PoolerRefused",
    "RevisionFileError",
    "Settings",
    "StepFailed",
    "WaitTimedOut",
    "hookimpl",
    "hookspec",
]

_ELSEWHERE = {
    "PluginSpec": "corehost.core.spec",
    "Settings": "corehost.core.settings",
    "hookimpl": "corehost.hookspecs",
    "hookspec": "corehost.hookspecs",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_ELSEWHERE.get(name, "corehost.core.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
