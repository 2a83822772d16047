"""Log records as JSON, one on a line; offered, never installed by corehost."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
"""What every record has; whatever else is there came as ``extra``."""


class JsonFormatter(logging.Formatter):
    """A formatter for any handler: ``handler.setFormatter(corehost.JsonFormatter())``.

    Each line has ``time`` (RFC 3339, UTC), ``level``, ``logger`` and ``message``, then what came as ``extra``
    (of corehost: ``event``, ``branch``, ``schema``, ``revision``, ``duration_ms`` where they apply), then
    ``error`` with ``type``, ``message`` and ``traceback``. What JSON has no form for is written as text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line |= {name: value for name, value in extras.items() if name not in line}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line["error"] = {
                "type": type(error).__qualname__,
                "message": str(error),
                "traceback": self.formatException(record.exc_info),
            }
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return "{" + ", ".join(f"{json.dumps(name)}: {_written(value)}" for name, value in line.items()) + "}"


def _written(value: Any) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError):  # a key that is no text, a number that is none, a circle
        return json.dumps(str(value))
