"""``corehost lint``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.lint import Finding, LintReport, NotRendered

_KEYS = (
    "branch",
    "revision",
    "distribution",
    "version",
    "file",
    "line",
    "rule",
    "severity",
    "message",
    "hint",
)
_DOCUMENT = {"findings": [], "ignored": [], "not_rendered": [], "checked": 0, "squawk": None}


@reporting("lint", _DOCUMENT)
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@click.option(
    "--since",
    multiple=True,
    metavar="RELEASE",
    help="What an earlier release had: a revision, or a git tag. Only newer revisions are looked at.",
)
@click.option("--exclude", multiple=True, metavar="RULE", help="Leave a rule out.")
@click.option("--pg-version", metavar="VERSION", help="The PostgreSQL that squawk assumes.")
@click.option("--strict", is_flag=True, help="End with 2 for warnings too.")
def lint(
    run: Invocation,
    plugins: Sequence[str],
    since: Sequence[str],
    exclude: Sequence[str],
    pg_version: str | None,
    strict: bool,
) -> int:
    """Say what is dangerous in revisions: for data, for code that runs beside, for a table that is in use.

    Looks at the SQL that the revisions would send; needs no database. With squawk installed (the extra
    'lint') its rules are looked at too.

    Exit code 0: nothing is wrong, or warnings only; 2: something is, or the command cannot be done.
    """
    from corehost import schemas
    from corehost.lint import Options
    from corehost.lint import lint as look

    schemas.use(run.installation.schemas)
    options = Options(
        plugins=tuple(plugins), since=tuple(since), exclude=frozenset(exclude), pg_version=pg_version
    )
    report = look(run.installation.graph, run.installation.facts, options)
    counted = [finding for finding in report.findings if finding.ignored is None]
    run.document |= {
        "findings": [_finding(finding) for finding in counted],
        "ignored": [{**_finding(f), "reason": f.ignored} for f in report.findings if f.ignored is not None],
        "not_rendered": [_not_rendered(one) for one in report.not_rendered],
        "checked": report.checked,
        "squawk": report.squawk,
    }
    run.report(_text(report, counted))
    errors = [finding for finding in counted if strict or finding.severity == "error"]
    return 2 if errors else 0


def _finding(finding: Finding) -> dict[str, object]:
    return {key: getattr(finding, key) for key in _KEYS}


def _not_rendered(one: NotRendered) -> dict[str, object]:
    where = one.problem.where
    return {
        "branch": one.node.branch,
        "revision": one.node.revision,
        "file": where.file,
        "message": one.problem.message,
    }


def _text(report: LintReport, counted: Sequence[Finding]) -> str:
    lines = []
    for finding in counted:
        place = f"{os.path.relpath(finding.file)}:{finding.line or 1}"
        rule = f"{finding.severity} [{finding.rule}]"
        hint = f"; {finding.hint}" if finding.hint else ""
        lines.append(f"{finding.branch}  {place}: {rule} {finding.message}{hint}")
    for one in report.not_rendered:
        place = os.path.relpath(one.problem.where.file or "")
        lines.append(f"{one.node.branch}  {place}: from here on nothing was looked at: {one.problem.message}")
    if not report.squawk:
        lines.append("squawk is not installed, its rules were left out: pip install 'corehost[lint]'")
    number = len(counted)
    ignored = len(report.findings) - number
    checked = f"{report.checked} revision{'' if report.checked == 1 else 's'}"
    said = f"{number} finding{'' if number == 1 else 's'}" if number else "nothing is wrong"
    lines.append(f"{said} in {checked}" + (f", {ignored} ignored" if ignored else ""))
    return "".join(f"{line}\n" for line in lines)
