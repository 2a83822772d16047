"""``corehost doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.doctor import Finding, TreeReport


@reporting("doctor", {"package": None, "distribution": None, "version": None, "trees": []})
@click.argument("package")
def doctor(run: Invocation, package: str) -> int:
    """Say whether and how a package can be hosted, and print the mount that does it.

    PACKAGE is a folder (a source tree, a package, its migrations), a distribution or an import package.
    Needs no database and no settings. Nothing is imported or run, except a revision file whose header is not
    literal.

    Exit code 0: corehost hosts all of it, with the mounts printed; 2: it refuses some, or there is nothing to
    host.
    """
    from corehost.core.errors import PluginError
    from corehost.doctor import examine
    from corehost.doctor.mount import as_text

    report = examine(package)
    run.document |= {
        "package": report.package,
        "distribution": report.distribution,
        "version": report.version,
        "trees": [_tree(tree) for tree in report.trees],
    }
    if not report.trees:
        raise PluginError(f"{package} has no Alembic revisions: there is nothing to host")
    run.report(as_text(report))
    return 0 if report.hosts else PluginError.exit_code


def _tree(tree: TreeReport) -> dict[str, object]:
    return {
        "name": tree.name,
        "verdict": tree.verdict,
        "migrations": tree.migrations,
        "revisions": tree.revisions,
        "heads": list(tree.heads),
        "bases": list(tree.bases),
        "labels": list(tree.labels),
        "findings": [_finding(finding) for finding in tree.findings],
        "mount": dict(tree.mount),
        "migration_group": tree.group,
        "to_decide": list(tree.proposals),
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {key: getattr(finding, key) for key in ("severity", "code", "message", "file", "line")}
