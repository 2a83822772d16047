"""Who may see details: anybody, or only who shows the token that the settings name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from corehost.core.errors import ConfigurationError
from corehost.core.settings import Settings

_log = logging.getLogger("corehost")

_REREAD_AFTER: Final = 1.0
"""Seconds for which a token that was read from a file is believed: secrets are rotated in place."""


class Access:
    """The settings ``health_token`` and ``health_token_file``, asked for each request.

    Without either everybody may see everything. Raises ConfigurationError where the file cannot be read.
    """

    def __init__(self, settings: Settings):
        self._file = settings.health_token_file
        self._digest = None if settings.health_token is None else _digest(settings.health_token)
        self._read_at = 0.0
        if self._file is not None:
            try:
                self._digest = _digest_of(self._file)
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"health_token_file: {self._file}: {_reason(error)}") from error
            self._read_at = time.monotonic()
        self._limited = self._digest is not None

    @property
    def limited(self) -> bool:
        """Whether a token is asked for."""
        return self._limited

    def allows(self, authorization: str | None) -> bool:
        """Whether the sender of this Authorization header may see details."""
        if not self._limited:
            return True
        token = _shown(authorization or "")
        if token is None:
            return False
        self._reread()
        # digests, since a comparison of texts would tell the length of ours
        return self._digest is not None and hmac.compare_digest(_digest(token), self._digest)

    def _reread(self) -> None:
        if self._file is None or time.monotonic() - self._read_at < _REREAD_AFTER:
            return
        self._read_at = time.monotonic()
        try:
            self._digest = _digest_of(self._file)
        except (OSError, ValueError) as error:
            if self._digest is not None:
                _log.error(
                    "health_token_file: %s: %s; nobody is shown details",
                    self._file,
                    _reason(error),
                    extra={"event": "token.unreadable"},
                )
            self._digest = None


def _shown(authorization: str) -> str | None:
    """The token of an Authorization header: a bearer's, or the password of HTTP Basic, whatever the name.

    A browser asks for the latter by itself and sends it with every request of a page, so that the token
    is in no address, no history and no log, and there is neither a cookie nor a page to log in.
    """
    scheme, _, given = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip()
        case "basic":
            with suppress(ValueError):  # not base64, or not UTF-8
                return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _digest_of(file: str) -> bytes:
    token = Path(file).read_text(encoding="utf-8").strip()
    if not token:
        raise ValueError("the file is empty")
    return _digest(token)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
