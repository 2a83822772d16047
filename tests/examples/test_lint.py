"""The example plugins' revisions are written as the docs teach."""

from __future__ import annotations

from corehost import Settings, schemas
from corehost.installation import Installation
from corehost.lint import Options, lint
from examples.conftest import EXAMPLES


def test_lint_finds_nothing_in_the_examples(installed: None) -> None:
    """Neither errors nor warnings, squawk's rules included, but for what a comment gives a reason for."""
    names = tuple(sorted(file.parent.name for file in EXAMPLES.glob("*/pyproject.toml")))
    installation = Installation(Settings(plugins=names))
    schemas.use(installation.schemas)
    report = lint(installation.graph, installation.facts, Options(plugins=names))
    assert report.squawk
    assert report.not_rendered == ()
    assert [finding for finding in report.findings if finding.ignored is None] == []
