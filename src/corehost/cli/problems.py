"""Whatever a command may end with, as one of corehost's errors: a message and an exit code."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import suppress

import click

from corehost.cli.signals import Interrupted, received
from corehost.core.errors import CorehostError

_log = logging.getLogger("corehost")


class UsageError(CorehostError):
    """The command line itself is wrong."""

    code = "usage"
    exit_code = 2


class UnforeseenError(CorehostError):
    """An exception that nobody had thought of."""

    code = "unforeseen"
    exit_code = 1


class InterruptError(CorehostError):
    """SIGINT ended the command."""

    code = "interrupted"
    exit_code = 128 + signal.SIGINT


class TerminationError(CorehostError):
    """SIGTERM ended the command."""

    code = "interrupted"
    exit_code = 128 + signal.SIGTERM


def problem_of(error: BaseException) -> CorehostError:
    """The same as one of corehost's errors; what was unforeseen is logged with its traceback under ``-v``."""
    number = error.signal if isinstance(error, Interrupted) else received()
    if number is None and isinstance(error, KeyboardInterrupt):
        number = signal.SIGINT
    if number is not None:  # whatever the error is: the roll-back may have failed in its turn
        kind = TerminationError if number == signal.SIGTERM else InterruptError
        return kind(f"stopped by {number.name}")
    if isinstance(error, CorehostError):
        return error
    if isinstance(error, click.UsageError):
        return UsageError(_sentence(error.format_message()), hint=_help(error))
    if isinstance(error, click.ClickException):
        return UnforeseenError(_sentence(error.format_message()))
    _log.info("the traceback:", exc_info=error, extra={"event": "command.failed"})
    return UnforeseenError(_one_line(error))


def tell(problem: CorehostError) -> None:
    """Say on standard error who, where and what to do."""
    complain(f"error: {problem}")


def complain(text: str) -> None:
    """A line on standard error, which may be closed."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(f"corehost: {text}", file=sys.stderr, flush=True)


def _one_line(error: BaseException) -> str:
    from corehost.postgres.ledger import without_secrets

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return without_secrets(text)


def _sentence(text: str) -> str:
    text = text.strip().removesuffix(".")
    return text[:1].lower() + text[1:]


def _help(error: click.UsageError) -> str | None:
    return f"see '{error.ctx.command_path} --help'" if error.ctx is not None else None
