"""A host runtime for plugins with tables.

Importing this package loads nothing else: each public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corehost.core.branch import Branch
    from corehost.core.checks import HealthCheck
    from corehost.core.errors import (
        AmbiguousRevisionError,
        ConfigurationError,
        CorehostError,
        CycleError,
        DatabaseUnavailable,
        DestructiveStepRefused,
        DiscoveryError,
        GraphError,
        IncompatibleDatabase,
        MigrationError,
        MissingRevisionError,
        PassStopped,
        PluginError,
        PluginStartFailed,
        PoolerRefused,
        RevisionFileError,
        RevisionsPending,
        StepFailed,
        WaitTimedOut,
    )
    from corehost.core.plan import Plan, Step
    from corehost.core.results import MigrationReport, Readiness, StepResult
    from corehost.core.rows import progress
    from corehost.core.settings import Settings
    from corehost.core.spec import PluginSpec
    from corehost.hookspecs import hookimpl, hookspec
    from corehost.host import Host
    from corehost.json_formatter import JsonFormatter
    from corehost.migrate import Observer
    from corehost.migrate.batch import Batch
    from corehost.migrate.batching import batches
    from corehost.schemas import schema
    from corehost.telemetry.prometheus import HostCollector
    from corehost.web.server import HealthServer

    __version__: str

__all__ = [
    "AmbiguousRevisionError",
    "Batch",
    "Branch",
    "ConfigurationError",
    "CorehostError",
    "CycleError",
    "DatabaseUnavailable",
    "DestructiveStepRefused",
    "DiscoveryError",
    "GraphError",
    "HealthCheck",
    "HealthServer",
    "Host",
    "HostCollector",
    "IncompatibleDatabase",
    "JsonFormatter",
    "MigrationError",
    "MigrationReport",
    "MissingRevisionError",
    "Observer",
    "PassStopped",
    "Plan",
    "PluginError",
    "PluginSpec",
    "PluginStartFailed",
    "PoolerRefused",
    "Readiness",
    "RevisionFileError",
    "RevisionsPending",
    "Settings",
    "Step",
    "StepFailed",
    "StepResult",
    "WaitTimedOut",
    "__version__",
    "batches",
    "hookimpl",
    "hookspec",
    "progress",
    "schema",
]

_ELSEWHERE = {
    "Batch": "corehost.migrate.batch",
    "Branch": "corehost.core.branch",
    "HealthCheck": "corehost.core.checks",
    "HealthServer": "corehost.web.server",
    "Host": "corehost.host",
    "HostCollector": "corehost.telemetry.prometheus",
    "JsonFormatter": "corehost.json_formatter",
    "MigrationReport": "corehost.core.results",
    "Observer": "corehost.migrate",
    "Plan": "corehost.core.plan",
    "PluginSpec": "corehost.core.spec",
    "Readiness": "corehost.core.results",
    "Settings": "corehost.core.settings",
    "Step": "corehost.core.plan",
    "StepResult": "corehost.core.results",
    "__version__": "corehost.core.version",
    "batches": "corehost.migrate.batching",
    "hookimpl": "corehost.hookspecs",
    "hookspec": "corehost.hookspecs",
    "progress": "corehost.core.rows",
    "schema": "corehost.schemas",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_ELSEWHERE.get(name, "corehost.core.errors"))
    value = getattr(module, "VERSION" if name == "__version__" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
