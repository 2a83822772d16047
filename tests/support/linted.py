"""Lint over branches written for a test, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corehost.alembic.source import source_facts
from corehost.lint import LintReport, Options, lint
from support.passes import graph_of, written_branch


def lint_branches(site: Path, branches: Mapping[str, Mapping[str, str]], **options: Any) -> LintReport:
    """What lint finds in these branches (name -> file name -> source)."""
    graph = graph_of(*(written_branch(site, name, files) for name, files in branches.items()))
    return lint(graph, lambda node: source_facts(graph.revision(node).path), Options(**options))
