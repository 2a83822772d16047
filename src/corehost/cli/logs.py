"""The logger ``corehost`` on standard error; nobody else's is touched."""

from __future__ import annotations

import logging
import sys

from corehost.core.events import PASS_EVENTS


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever ``sys.stderr`` is at that moment: a live display puts itself in its place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> object:
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: standard error is where it would be told."""


class _OneLine(logging.Formatter):
    """``corehost: warning: message``; the traceback of an exception only for who asked for it."""

    def __init__(self, *, tracebacks: bool):
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        text = f"corehost: {level}{record.getMessage()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            if self._tracebacks:
                return f"{text}\n{self.formatException(record.exc_info)}"
            lines = str(error).strip().splitlines()
            return f"{text}: {type(error).__name__}{f': {lines[0]}' if lines else ''}"
        return text


def _is_not_shown_otherwise(record: logging.LogRecord) -> bool:
    return getattr(record, "event", None) not in PASS_EVENTS


def configure(*, verbose: bool, quiet: bool) -> None:
    """Send the logger's warnings (``-v``: all it tells, ``-q``: errors only) to standard error."""
    handler = _StandardError()
    handler.addFilter(_is_not_shown_otherwise)
    handler.setFormatter(_OneLine(tracebacks=verbose))
    logger = logging.getLogger("corehost")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING)
    logger.propagate = False
