"""``corehost.progress`` by itself."""

from __future__ import annotations

import threading

import corehost
from corehost.core.rows import Rows, counting, rows


def test_outside_a_pass_it_does_nothing() -> None:
    """A revision that is run by stock Alembic may call it."""
    corehost.progress(1, 2)
    assert rows() is None


def test_the_newest_value_counts() -> None:
    """Whoever looks sees what was told last, from whichever thread."""
    with counting():
        assert rows() is None
        corehost.progress(1)
        assert rows() == Rows(done=1)
        thread = threading.Thread(target=corehost.progress, args=(400, 1000))
        thread.start()
        thread.join()
        assert str(rows()) == "400 of 1000 rows"
    assert rows() is None


def test_each_attempt_counts_anew() -> None:
    """What a step told before it was tried again is forgotten."""
    with counting():
        corehost.progress(400, 1000)
    with counting():
        assert rows() is None


def test_nonsense_fails_no_migration() -> None:
    """What is no number is as if nothing had been told."""
    with counting():
        corehost.progress("many")  # type: ignore[arg-type]
        assert rows() is None
