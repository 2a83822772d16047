"""What goes to standard output: text, one JSON document, tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

FORMAT_VERSION: Final = "1.0"
_WIDE: Final = 10_000  # a table in a pipe or a file is never folded


def write(text: str) -> bool:
    """Write to standard output; that its reader has gone away is no error, but False."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def write_document(document: Mapping[str, Any]) -> None:
    """Write the one JSON document of a command."""
    write(json.dumps({"format_version": FORMAT_VERSION, **document}, indent=2) + "\n")


@contextmanager
def set_aside() -> Iterator[None]:
    """Keep standard output for the document: what anybody else prints meanwhile goes to standard error.

    On the level of file descriptors, since a revision may run a program that prints.
    """
    try:
        saved = os.dup(1)
    except OSError:  # closed: nobody reads the document either
        yield
        return
    try:
        _flush()
        try:
            os.dup2(2, 1)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        yield
    finally:
        _flush()
        os.dup2(saved, 1)
        os.close(saved)


def timestamp(moment: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for people, as wide as the terminal, or as it needs to be where there is none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDE, markup=False, highlight=False)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    with console.capture() as capture:
        console.print(drawn)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _flush() -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
