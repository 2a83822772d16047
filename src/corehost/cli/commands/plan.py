"""``corehost plan``."""

from __future__ import annotations

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation


@reporting("plan", {"steps": [], "deferred": [], "config_file": None})
def plan(run: Invocation) -> None:
    """Show the steps that a pass would run; change nothing."""
    from corehost.cli.steps import plan_text

    found = run.host.plan()
    run.document |= found.as_dict()
    run.report(plan_text(found))
