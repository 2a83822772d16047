"""Throw-away packages that know nothing of corehost, and what the doctor says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from corehost.doctor import PackageReport, TreeReport
from support.packages import create_table, revision_source, write_plugin

FIRST = {"0001": revision_source("0001", upgrade=create_table("entries"))}
"""One revision that makes one table."""


def package(
    site: Path,
    revisions: Mapping[str, str] = FIRST,
    *,
    name: str = "guestbook",
    files: Mapping[str, str] | None = None,
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Write an installed package, and return its folder."""
    return write_plugin(site, name, revisions=revisions, files=files, entry_points=entry_points)


def only_tree(report: PackageReport) -> TreeReport:
    """The one tree of a report."""
    (tree,) = report.trees
    return tree


def codes(report: TreeReport) -> set[str]:
    """The codes of its findings."""
    return {finding.code for finding in report.findings}
