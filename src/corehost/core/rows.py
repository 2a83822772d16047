"""``corehost.progress``: how many rows the data migration that runs in this process has done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsInt


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """How far a data migration is."""

    done: int
    """How many rows it has done."""
    total: int | None = None
    """How many there are to do, where it knows."""

    def __str__(self) -> str:
        return f"{self.done} rows" if self.total is None else f"{self.done} of {self.total} rows"


class _Slot:
    """One value, replaced whole: who writes it in a tight loop waits for nobody who reads it."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: tuple[SupportsInt, SupportsInt | None] | None = None


# One for the process, whatever the thread: only one migration runs in a process at a time.
_counting: _Slot | None = None


def progress(done: SupportsInt, total: SupportsInt | None = None) -> None:
    """Say in a revision's ``upgrade()`` how many rows are done, and of how many.

    For whoever watches: the readiness of this instance and of those that wait for it, ``corehost
    status``, the command line. Cheap enough for a tight loop: nothing is written here or looked at, and
    the newest value is picked up about once a second. Outside a pass it does nothing, so a revision may
    call it wherever it runs. May be called from any thread.
    """
    slot = _counting
    if slot is not None:
        slot.told = (done, total)


def rows() -> Rows | None:
    """What the step that runs in this process has told last; None where it has told nothing."""
    slot = _counting
    if slot is None or slot.told is None:
        return None
    done, total = slot.told
    try:
        return Rows(done=int(done), total=None if total is None else int(total))
    except (TypeError, ValueError, OverflowError):  # a migration is not to fail for what it tells
        return None


@contextmanager
def counting() -> Iterator[None]:
    """Take what is told meanwhile as the progress of one attempt of a step."""
    global _counting
    _counting = _Slot()
    try:
        yield
    finally:
        _counting = None
