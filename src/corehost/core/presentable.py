"""What of a message may be shown to anybody who can reach a page."""

from __future__ import annotations

import re
from typing import Final

# A host's own messages are without secrets; a plugin's error inside of one may still quote its settings.
_VALUE: Final = r"""(?:'(?:[^'\\]|\\.)*(?:'|$)|"(?:[^"\\]|\\.)*(?:"|$)|\S+)"""
_CONNECTION: Final = re.compile(
    rf"""
      \b[\w+.-]+://\S+
    | \b\w*(?:passfile|host|hostaddr|user|dbname|service)\s*=\s*{_VALUE}
    | \b[\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|credential)\w*['"]?\s*[:=]\s*{_VALUE}
    | \b(?:bearer|basic)\s+\S+
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_TRACEBACK: Final = "Traceback (most recent call last)"


def presentable(text: str) -> str:
    """A message that may be shown to anybody: no connection string, no password or token, no traceback."""
    return _CONNECTION.sub("***", text.partition(_TRACEBACK)[0]).strip()
