"""What corehost needs to know, and every hook that observes; imports nothing heavier than corehost."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import corehost
from corehost_example_audit import actor, trail

if TYPE_CHECKING:
    from corehost import Host
    from corehost.core.branch import Branch
    from corehost.core.plan import Plan, Step
    from corehost.core.results import MigrationReport, StepResult


@corehost.hookimpl
def corehost_register_plugin() -> corehost.PluginSpec:
    """One table of our own."""
    return corehost.PluginSpec(name="audit", migrations="corehost_example_audit:migrations")


@corehost.hookimpl
def corehost_before_migrate(plan: Plan) -> None:
    """Note how much there is to do."""
    trail.note("pass.started", detail=f"{len(plan.steps)} steps pending")


@corehost.hookimpl
def corehost_after_migrate(report: MigrationReport) -> None:
    """Note what this process did of it."""
    outcome = "ready" if report.ready else "not ready"
    trail.note("pass.finished", detail=f"{len(report.applied)} steps applied here, {outcome}")


@corehost.hookimpl
def corehost_step_started(step: Step) -> None:
    """Note the step; the namespace's lock is held, so no more than that."""
    marks = ["destructive"] if step.destructive else []
    marks += [] if step.transactional else ["not transactional"]
    trail.note(
        "step.started",
        branch=step.node.branch,
        revision=step.node.revision,
        detail=", ".join(marks) or None,
    )


@corehost.hookimpl
def corehost_step_finished(step: Step, result: StepResult) -> None:
    """Note how the step ended; the namespace's lock is still held."""
    trail.note(
        f"step.{result.outcome}",
        branch=step.node.branch,
        revision=step.node.revision,
        detail=result.error or f"{result.duration_ms:.0f} ms",
    )


@corehost.hookimpl
def corehost_migration_context(branch: Branch) -> AbstractContextManager[None]:
    """Tell our own revisions who runs them."""
    return actor.acting(actor.name())


@corehost.hookimpl
def corehost_startup(host: Host) -> None:
    """Write what was seen of the pass: the table is there now."""
    trail.note("host.started")
    trail.write(host)


@corehost.hookimpl
def corehost_shutdown(host: Host) -> None:
    """Write the end of the trail."""
    trail.note("host.stopped")
    trail.write(host)
