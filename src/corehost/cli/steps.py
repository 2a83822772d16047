"""The steps of a plan, for people."""

from __future__ import annotations

from corehost.core.plan import Plan, Step


def plan_text(plan: Plan) -> str:
    """One line per step, or one that says that there is none."""
    held = "".join(f"held back: {node} {why}\n" for node, why in sorted(plan.deferred.items()))
    if not plan:
        return f"nothing to do\n{held}"
    width = max(len(str(step.node)) for step in plan.steps)
    return "".join(f"{_line(step, width)}\n" for step in plan.steps) + held


def _line(step: Step, width: int) -> str:
    marks = []
    if not step.transactional:
        marks.append("not transactional")
    if step.destructive:
        marks.append("destructive")
    if step.facts.phase == "contract":
        marks.append("contract")
    mark = f"[{', '.join(marks)}]" if marks else ""
    return "  ".join(part for part in (f"{step.node!s:<{width}}", step.message, mark) if part).rstrip()
