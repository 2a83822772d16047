"""What of a message may be shown to anybody who can reach a page."""

from __future__ import annotations

import re
from typing import Final

# A host's own messages are without secrets; a plugin's error inside of one may still quote its settings.
_CONNECTION: Final = re.compile(
    r"\b[\w+]+://\S+|\b\w*(?:password|passfile|host|hostaddr|user|dbname|service)\s*=\s*(?:'(?:[^'\\]|\\.)*'|\S+)",
    re.IGNORECASE,
)
_TRACEBACK: Final = "Traceback (most recent call last)"


def presentable(text: str) -> str:
    """A message that may be shown to anybody: no connection string, no password, no traceback."""
    return _CONNECTION.sub("***", text.partition(_TRACEBACK)[0]).strip()
