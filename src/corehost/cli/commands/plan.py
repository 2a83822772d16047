"""``corehost plan``."""

from __future__ import annotations

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("plan", {"steps": [], "config_file": None})
def plan(run: Invocation) -> None:
    """Show the steps that a pass would run; change nothing."""
    from corehost.cli.steps import plan_text

    found = run.host.plan()
    run.document["steps"] = [step.as_dict() for step in found.steps]
    run.report(plan_text(found))
