"""The plugin contract: every hook that corehost calls, and nothing else.

A plugin's module implements ``corehost_register_plugin`` and whichever of the others it needs, each
marked with :data:`corehost.hookimpl`. An implementation names only the arguments that it uses. No
relation between the order of calls and the order of installation is promised, except where a hook's
text says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from corehost.core.branch import Branch
    from corehost.core.checks import HealthCheck
    from corehost.core.plan import Plan, Step
    from corehost.core.results import MigrationReport, StepResult
    from corehost.core.spec import PluginSpec
    from corehost.host import Host

PROJECT = "corehost"
hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks a host's own hook specifications."""
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks hook implementations, of plugins and of hosts."""


@hookspec
def corehost_register_plugin() -> PluginSpec:  # type: ignore[empty-body]
    """Say what this plugin is. Pure: no configuration, environment or I/O.

    Called once per plugin at discovery, or when a host adds it, in every process, with no lock held. An
    exception makes the plugin wrong, as any other mistake of its spec does.
    """


@hookspec
def corehost_before_migrate(plan: Plan) -> None:
    """Called once in a pass that has something to do, before its first lock is tried.

    In every process that finds the plan not empty, on the thread of the pass, with no lock held. An
    exception ends the pass before anything is changed.
    """


@hookspec
def corehost_after_migrate(report: MigrationReport) -> None:
    """Called once after every pass, whether it did something, found nothing to do, or failed.

    In every process, on the thread of the pass, after all locks are released. An exception is logged
    and changes nothing.
    """


@hookspec
def corehost_step_started(step: Step) -> None:
    """Called before this process runs a step.

    Only in the process that runs it, on the thread of the pass, with the namespace's lock held and no
    transaction open: be quick. An exception fails the step before anything of it was done.
    """


@hookspec
def corehost_step_finished(step: Step, result: StepResult) -> None:
    """Called after this process has committed a step, or after the step has failed.

    Only in the process that ran it, on the thread of the pass, with the namespace's lock held and no
    transaction open. An exception is logged and changes nothing: the step is already settled.
    """


@hookspec
def corehost_migration_context(branch: Branch) -> AbstractContextManager[Any]:  # type: ignore[empty-body]
    """Give a context manager to be entered around each step of a branch.

    A plugin is asked for its own branch only, the host's own hook modules for every branch. Called in
    the process that runs the step, on the thread of the pass, with the namespace's lock held and no
    transaction open. An exception on entering fails the step; None means none.
    """


@hookspec
def corehost_register_health_checks() -> Iterable[HealthCheck]:  # type: ignore[empty-body]
    """Say what is to be looked after while the host serves. Pure: the checks themselves are called later.

    In every process that starts the host, after all ``corehost_startup``, on the thread that starts it, with
    no lock held. Each check is then called on a thread of its own, until the host stops. An exception
    stops the start and names the plugin.
    """


@hookspec
def corehost_startup(host: Host) -> None:
    """Start what the plugin needs at run time; the schema is complete.

    In every process, after the pass, on a thread of its own, with no lock held, in dependency order. An
    exception, or more time than ``startup_timeout``, stops the start: the plugin is named, plugins already
    started are shut down in reverse. A hook that has taken too long goes on; when it ends well after all,
    the plugin's ``corehost_shutdown`` is called on the same thread.
    """


@hookspec
def corehost_shutdown(host: Host) -> None:
    """Stop what ``corehost_startup`` started.

    In every process whose start-up was done, on a thread of its own, with no lock held, in reverse
    dependency order. It is waited for ``shutdown_timeout`` at most. An exception is logged; the others are
    still called.
    """
