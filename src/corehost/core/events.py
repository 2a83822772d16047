"""How the log calls what happens in a pass."""

from __future__ import annotations

from typing import Final

PASS_EVENTS: Final = frozenset(
    {"pass.waiting", "pass.finished", "step.started", "step.finished", "step.failed", "step.retried"}
)
"""The ``event`` of records that say how a pass goes; the command line has its own way to show that."""
