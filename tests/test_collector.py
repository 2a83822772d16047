"""The garbage collector during a pass."""

from __future__ import annotations

import gc

from corehost.migrate.collector import spared_collector


def test_what_was_there_before_is_searched_again_afterwards() -> None:
    """Frozen in the block, also in one inside it that ends first; thawed at the end of the outer one."""
    with spared_collector():
        with spared_collector():
            assert gc.get_freeze_count() > 0
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_what_the_application_has_frozen_stays_so() -> None:
    """A server that forks its workers has frozen what they share: nothing of it is thawed."""
    gc.freeze()
    try:
        with spared_collector():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
