"""Connection strings as people write them, made into what libpq reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import psycopg

from corehost.core.errors import ConfigurationError

_DRIVER: Final = re.compile(r"^(?:postgresql|postgres)(?:\+\w+)?://")
_OTHER: Final = re.compile(r"^([\w+.-]+)://")
_NAMES_A_PARAMETER: Final = re.compile(r"invalid (connection option|URI query parameter):? \"\w+\"\s*$")
_HINT: Final = "write postgresql://user@host/database"


def normalised(url: str) -> str:
    """``postgres://`` and ``postgresql+driver://`` as ``postgresql://``; libpq strings unchanged.

    Raises ConfigurationError for another database's URL, without repeating it (it may hold a secret).
    """
    text = url.strip()
    if _DRIVER.match(text):
        return _DRIVER.sub("postgresql://", text, count=1)
    if other := _OTHER.match(text):
        raise ConfigurationError(
            f"the database URL begins with {other[1]!r}, which is not PostgreSQL", hint=_HINT
        )
    return text


def parsed(url: str) -> dict[str, Any]:
    """The connection parameters of a libpq string or URL.

    Raises ConfigurationError, repeating of the string only names of parameters, which are no secrets.
    """
    try:
        given: dict[str, Any] = dict(psycopg.conninfo.conninfo_to_dict(url))
    except psycopg.ProgrammingError as error:
        reason = f": {str(error).strip()}" if _NAMES_A_PARAMETER.match(str(error)) else ""
        raise ConfigurationError(f"the database URL cannot be read{reason}", hint=_HINT) from None
    for port in str(given.get("port") or "").split(","):
        # psycopg takes it for a name to be looked up, which would be tried again and again
        if port and not (port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigurationError("the port in the database URL is no port number", hint=_HINT)
    return given


def read_file(path: str, *, setting: str) -> str:
    """The URL in a mounted secret; read at each connect, since secrets are rotated."""
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"{setting} names {path!r}, which cannot be read: {reason}") from None
