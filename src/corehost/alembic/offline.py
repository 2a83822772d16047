"""The SQL that a revision would send, written down by Alembic's offline mode instead of being run.

Importing this module loads Alembic and SQLAlchemy.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Final

from corehost.alembic.runner import BranchRunner
from corehost.core.errors import MigrationError
from corehost.core.plan import Step

READER: Final = "corehost_reader"
"""The option of the migration context under which a loop over batches finds its :class:`Reader`."""


class NoScript(MigrationError):
    """A revision has no script: it asks the database, or does what SQL cannot."""

    code = "no_script"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """What one operation of a revision sends; several statements where its text has several."""

    sql: str
    """The text, without a semicolon at its end."""
    line: int | None
    """The line of the revision's file that the operation was called on; None where none is on the stack."""
    transaction: int | None = 0
    """Which of the step's transactions it is in, from 0; None outside of any."""
    batched: bool = False
    """Whether it is sent for each batch of a table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A step, written down."""

    statements: tuple[Statement, ...]
    """In the order of sending; up to where it failed."""
    problem: NoScript | None = None
    """Why there is no more, where there is none."""


def write_down(runner: BranchRunner, step: Step, *, for_reading: bool = False) -> Written:
    """Run a revision's ``upgrade()`` in offline mode: nothing is connected to, nothing is changed.

    ``for_reading`` lets through what has no script but can be looked at: one batch stands for all.
    """
    found: list[Statement] = []
    transactions = _Transactions()
    reader = Reader(transactions) if for_reading else None
    path = step.revision.path

    def note(text: str) -> None:
        sql = text.strip().removesuffix(";").strip()
        batched = reader is not None and reader.in_batch
        line = _line_on_stack(path)
        found.append(Statement(sql=sql, line=line, transaction=transactions.current, batched=batched))

    configuration: dict[str, Any] = {
        "as_sql": True,
        "dialect_name": "postgresql",
        # Of the formats that DB-APIs know the one in which a percent sign means itself.
        "dialect_opts": {"paramstyle": "named"},
        "literal_binds": True,
        "output_buffer": io.StringIO(),
        READER: reader,
    }
    problem: NoScript | None = None
    with runner.context(step, **configuration) as context:
        impl: Any = context.impl
        impl.static_output, impl.emit_begin, impl.emit_commit = note, transactions.begin, transactions.commit
        try:
            runner.module(step).upgrade()
        except Exception as error:
            problem = _no_script(runner, step, error)
    return Written(statements=tuple(found), problem=problem)


class _Transactions:
    """Counts the transactions of a step: Alembic ends one and begins another around an autocommit block."""

    def __init__(self) -> None:
        self._number = 0
        self.current: int | None = 0

    def begin(self) -> None:
        self._number += 1
        self.current = self._number

    def commit(self) -> None:
        self.current = None


class Reader:
    """Where a step is only looked at: one batch stands for all, in a transaction of its own."""

    def __init__(self, transactions: _Transactions):
        self._transactions = transactions
        self.in_batch = False
        """Whether what is sent now is sent for each batch."""

    @contextmanager
    def batch(self) -> Iterator[None]:
        """The statements of a batch."""
        self.in_batch = True
        try:
            yield
        finally:
            self.in_batch = False
            self._transactions.begin()


def _line_on_stack(path: str) -> int | None:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return None


def _no_script(runner: BranchRunner, step: Step, error: Exception) -> NoScript:
    path = step.revision.path
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == path), None)
    reason = error.message if isinstance(error, MigrationError) else f"{type(error).__name__}: {error}"
    problem = NoScript(
        f"{step.node} cannot be written as SQL: {reason}",
        where=replace(runner.tree.where(step.node.revision), file=f"{path}:{line}" if line else path),
        hint="in offline mode there is no connection to ask: let a pass run it, "
        "or give it a way of its own for context.is_offline_mode()",
    )
    problem.__cause__ = error
    return problem
