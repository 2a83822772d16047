"""Connection strings as people write them, made into what libpq reads."""

from __future__ import annotations

import re
from pathlib import Path

from corehost.core.errors import ConfigurationError

_DRIVER = re.compile(r"^(?:postgresql|postgres)(?:\+\w+)?://")


def normalised(url: str) -> str:
    """``postgres://`` and ``postgresql+driver://`` as ``postgresql://``; libpq strings unchanged.

    Raises ConfigurationError for another database's URL, without repeating it (it may hold a secret).
    """
    text = url.strip()
    if _DRIVER.match(text):
        return _DRIVER.sub("postgresql://", text, count=1)
    if "://" in text and "=" not in text.split("://", 1)[0]:
        raise ConfigurationError(
            f"the database URL begins with {text.split('://', 1)[0]!r}, which is not PostgreSQL",
            hint="write postgresql://user@host/database",
        )
    return text


def read_file(path: str, *, setting: str) -> str:
    """The URL in a mounted secret; read at each connect, since secrets are rotated."""
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"{setting} names {path!r}, which cannot be read: {error.strerror}"
        ) from None
