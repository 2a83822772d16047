"""The step that runs in this thread: what a revision may ask corehost for while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from corehost.core.plan import Step
from corehost.migrate.stop import Stop
from corehost.postgres.connect import Connection
from corehost.postgres.ledger import StepRecord

_current: ContextVar[RunningStep | None] = ContextVar("corehost_running_step", default=None)


@dataclass(kw_only=True)
class RunningStep:
    """One attempt of a step, while its ``upgrade()`` runs."""

    step: Step
    connection: Connection
    """The pass's connection, which holds the lock; the revision's statements run on it."""
    record: StepRecord
    stop: Stop
    elapsed_ms: Callable[[], float]
    """How long the attempt has taken so far."""
    loops: int = 0
    """How many loops over batches it has begun."""
    in_loop: bool = False
    """Whether one of them is not at its end."""
    batches: int = 0
    """How many batches it has committed."""


def running() -> RunningStep | None:
    """The step that this thread runs, or None outside a pass."""
    return _current.get()


@contextmanager
def running_step(step: RunningStep) -> Iterator[None]:
    """While inside, this is the step that runs."""
    token = _current.set(step)
    try:
        yield
    finally:
        _current.reset(token)
