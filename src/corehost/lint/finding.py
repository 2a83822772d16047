"""One thing that lint has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    branch: str
    """The plugin."""
    revision: str
    distribution: str | None
    version: str | None
    file: str
    line: int | None
    """The line of the file, from 1; None where it is not known."""
    rule: str
    """The rule's name: one of corehost's own, or of squawk's."""
    severity: Severity
    message: str
    """One lowercase statement."""
    hint: str | None = None
    """What to do."""
    ignored: str | None = None
    """The reason that a comment gives for it to be left alone."""
