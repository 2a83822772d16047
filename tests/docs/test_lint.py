"""The page about lint: each rule finds its bad example and leaves its good one alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corehost.lint.rules import OWN_RULES
from corehost.lint.squawk import HANDLED
from support.linted import lint_branches

PAGE = (Path(__file__).parents[2] / "docs" / "lint.md").read_text()
RULES = re.findall(r"^### ([a-z-]+)$", PAGE, re.MULTILINE)
BASE = """\
import sqlalchemy as sa
from alembic import op

revision = "first"
down_revision = None


def upgrade():
    op.create_table(
        "invoices",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("total", sa.BigInteger),
        sa.Column("note", sa.Text),
    )
"""
CONTRACTED = """\
revision = "contracted"
down_revision = "first"
phase = "contract"


def upgrade():
    pass
"""
HEADER = """\
import corehost
import sqlalchemy as sa
from alembic import op

revision = "example"
down_revision = "first"

"""


def examples(rule: str) -> list[str]:
    """The bad and the good example of a rule."""
    section = PAGE.partition(f"\n### {rule}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def found(site: Path, example: str) -> set[str]:
    """The rules that find something in an example."""
    revisions = {"first": BASE, "contracted": CONTRACTED, "example": HEADER + example}
    accounts = {"acc1": 'revision = "acc1"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n'}
    report = lint_branches(site, {"billing": revisions, "accounts": accounts}, plugins=("billing",))
    assert not report.not_rendered
    return {finding.rule for finding in report.findings if finding.ignored is None}


def test_every_rule_of_our_own_has_a_section() -> None:
    """The page and the code have the same rules; what is left out of squawk's is on it."""
    assert {*OWN_RULES} <= {*RULES}
    assert {*re.findall(r"`([a-z-]+)`", PAGE)} >= HANDLED.keys()


@pytest.mark.parametrize("rule", RULES)
def test_the_examples_are_what_they_are_said_to_be(site: Path, rule: str) -> None:
    """The bad one is found by the rule, the good one by none."""
    bad, good = examples(rule)
    assert rule in found(site / "bad", bad)
    assert found(site / "good", good) == set()
