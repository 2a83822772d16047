"""What was held back is run as soon as it may be, whatever else has to wait."""

from __future__ import annotations

import threading
from collections.abc import Collection

from corehost.contracting import LateSteps
from corehost.core.deferral import Held
from corehost.core.results import MigrationReport
from corehost.core.revision import Node

WAITS = Held(reason="waits for old", older=frozenset({"old"}))
BACKGROUND = Held(reason="in the background", seconds=0.0, in_background=True)
GONE = Held(reason="waits for older", older=frozenset({"older"}))


def is_run(*held: Held) -> bool:
    """Whether a pass is run although an instance of the release ``old`` stays."""
    ran = threading.Event()

    def run() -> MigrationReport:
        ran.set()
        return MigrationReport()

    def present(of: Collection[str]) -> Collection[str]:
        return {"old"}.intersection(of)

    late = LateSteps(present, run)
    late.begin({Node("data", str(number)): one for number, one in enumerate(held)})
    try:
        return ran.wait(6)
    finally:
        late.end()


def test_a_background_step_waits_for_nobody() -> None:
    """A contract step that an older instance keeps back for days does not keep it back."""
    assert is_run(WAITS, BACKGROUND)


def test_each_contract_step_waits_for_its_own() -> None:
    """What kept one back has left, and what keeps another back has not."""
    assert is_run(WAITS, GONE)
    assert not is_run(WAITS)
