"""``corehost migrate``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from corehost.cli.command import reporting
from corehost.cli.commands.check import PENDING
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.core.results import MigrationReport, StepResult


@reporting("migrate", {"applied": [], "waited_ms": 0.0, "ready": False, "deferred": [], "left_out": {}})
@click.option("--plan-only", is_flag=True, help="Show the steps, as 'corehost plan' does; change nothing.")
@click.option("--sql", is_flag=True, help="Write the SQL of these steps as a script; change nothing.")
@click.option("--branch", metavar="NAME", help="Only this branch and what it depends on.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait while others hold a lock.")
@click.option("--allow-destructive", is_flag=True, help="Run steps that the setting on_destructive refuses.")
@click.option("--background", is_flag=True, help="Run background steps too, behind all others.")
@click.option("--contract", is_flag=True, help="Run contract steps now, unless an older instance is there.")
def migrate(
    run: Invocation,
    plan_only: bool,
    sql: bool,
    branch: str | None,
    wait: bool,
    allow_destructive: bool,
    background: bool,
    contract: bool,
) -> int | None:
    """Wait for others, apply what is pending, say what was done.

    Exit code 0: the database is what this code needs; 1: a revision failed; 3: --contract was given, and an
    older instance is there; 4: nobody made progress for the
    setting wait_timeout, or a lock is held and --no-wait was given; 5: this code cannot serve this database;
    6: it could not be reached within wait_timeout.
    """
    if plan_only and sql:
        raise click.UsageError("--plan-only and --sql exclude each other")
    if plan_only:
        _plan(run, branch)
        return None
    if sql:
        _script(run, branch, allow_destructive=allow_destructive)
        return None
    from corehost.cli.progress import progress
    from corehost.cli.signals import gently
    from corehost.core.errors import MigrationError

    host = run.host
    with progress(quiet=run.quiet) as observer, gently(host.interrupt):
        try:
            report = host.migrate(
                only=branch,
                wait=wait,
                allow_destructive=allow_destructive,
                contract=contract,
                background=background,
                observer=observer,
            )
            _fill(run, report)
        except MigrationError as error:
            if error.report is not None:
                _fill(run, error.report)
            raise
        except BaseException:
            run.document["applied"] = _applied(observer.applied)
            raise
    run.remark(_summary(report, branch))
    return PENDING if contract and report.deferred else None


def _plan(run: Invocation, branch: str | None) -> None:
    from corehost.cli.steps import plan_text

    plan = run.host.plan(only=branch)
    run.document |= {"ready": not plan, **plan.as_dict()}
    run.report(plan_text(plan))


def _script(run: Invocation, branch: str | None, *, allow_destructive: bool) -> None:
    from corehost import schemas
    from corehost.migrate.script import write_script

    schemas.use(run.installation.schemas)
    run.document["sql"] = write_script(
        run.installation, run.connector, only=branch, allow_destructive=allow_destructive
    )
    run.report(run.document["sql"])


def _fill(run: Invocation, report: MigrationReport) -> None:
    run.document |= {
        "applied": _applied(report.applied),
        "waited_ms": round(report.waited_ms, 3),
        "ready": report.ready,
        "deferred": [
            {"branch": node.branch, "revision": node.revision, "reason": held.reason}
            for node, held in sorted(report.deferred.items())
        ],
        "left_out": dict(report.left_out),
    }


def _applied(results: Iterable[StepResult]) -> list[dict[str, object]]:
    return [
        {
            "branch": result.node.branch,
            "revision": result.node.revision,
            "duration_ms": round(result.duration_ms, 3),
        }
        for result in results
    ]


def _summary(report: MigrationReport, branch: str | None) -> str:
    number = len(report.applied)
    done = f"applied {number} revision{'s' if number > 1 else ''}" if number else "nothing to do"
    if number:
        took = sum(result.duration_ms for result in report.applied) / 1000
        done += f" in {took:.1f} s: " + ", ".join(str(result.node) for result in report.applied)
    if report.waited_ms >= 1:
        done += f"; waited {report.waited_ms / 1000:.1f} s for others"
    for node, held in sorted(report.deferred.items()):
        done += f"; {node} {held.reason}"
    if report.left_out:
        done += f"; without {', '.join(sorted(report.left_out))}, whose migrations cannot be done"
    if not report.ready and branch is not None:
        done += "; other branches are not up to date"
    return done
