"""What is dangerous in pending revisions, told from the SQL that they would send; no database is needed."""

from corehost.lint.examine import LintReport, NotRendered, Options, lint
from corehost.lint.finding import Finding

__all__ = ["Finding", "LintReport", "NotRendered", "Options", "lint"]
