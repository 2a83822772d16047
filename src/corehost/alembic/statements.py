"""What SQL text does to data and to the transaction, as far as its words show it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FLAGS: Final = re.IGNORECASE | re.DOTALL

_LEXEME: Final = re.compile(
    r"""--[^\n]* | /\*.*?\*/
        | e'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$""",
    _FLAGS | re.VERBOSE,
)
_BODY: Final = re.compile(r"\s*do\b.*?\$(\w*)\$(.*?)\$\1\$", _FLAGS)
_BODY_PARTS: Final = re.compile(r";|\b(?:begin|then|else|loop)\b", _FLAGS)
_ROUTINE: Final = re.compile(
    r"(\bcreate\b[^;]*?\b(?:function|procedure|trigger)\b[^;]*?)\bbegin\b.*\bend\b", _FLAGS
)
_QUOTED: Final = re.compile(r"'((?:[^']|'')*)'")

_ENDS: Final = re.compile(
    r"(?:commit|end|rollback|abort)(?:\s+(?:work|transaction))?(?:\s+and\s+(?:no\s+)?chain)?"
    r"|(?:commit|rollback)\s+prepared\b.*|prepare\s+transaction\b.*|vacuum\b.*",
    _FLAGS,
)
_OUTSIDE: Final = re.compile(
    r"(?:create(?:\s+unique)?|drop)\s+index\s+concurrently\b"
    r"|reindex\b.*\bconcurrently\b|reindex\s+(?:\([^)]*\)\s*)?(?:schema|database|system)\b"
    r"|alter\s+table\b.*\bdetach\s+partition\b.*\bconcurrently\b"
    r"|(?:create|drop)\s+(?:database|tablespace)\b|alter\s+system\b",
    _FLAGS,
)
_TABLE: Final = r"alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?\S+\s.*?\b"
_KEPT: Final = r"constraint|default|not|expression|identity|index|key|foreign|primary|unique|check"
_DESTROYS: Final = re.compile(
    r"drop\s+(?:table|schema|database|owned|column)\b"
    r"|drop\s+(?:type|domain|extension)\b.*\bcascade\b"
    r"|truncate\b|(?:with\b.*\b)?delete\s+from\b"
    rf"|{_TABLE}drop\s+(?!(?:{_KEPT})\b)"
    rf"|{_TABLE}alter\s+(?:column\s+)?+\S+\s+(?:set\s+data\s+)?type\s+"
    r"(?!(?:text|varchar|character\s+varying)\b(?!\s*[(\[]))"
    r"|alter\s+type\b.*\bdrop\s+attribute\b",
    _FLAGS,
)


def ends_transaction(sql: str) -> bool:
    """Whether a statement of the text commits, rolls back, or is VACUUM: only for text that is executed."""
    return any(_ENDS.fullmatch(statement) for statement in _statements(sql))


def runs_outside_transaction(sql: str) -> bool:
    """Whether a statement of the text, such as CREATE INDEX CONCURRENTLY, refuses a transaction."""
    return any(_OUTSIDE.match(statement) for statement in _statements(sql))


def destroys_data(sql: str) -> bool:
    """Whether a statement of the text drops, empties or narrows tables or columns.

    The body of a DO statement counts, with the texts that it executes; that of a function does not.
    """
    if body := _BODY.match(sql):
        texts = (quoted.replace("''", "'") for quoted in _QUOTED.findall(body[2]))
        parts = _BODY_PARTS.split(_without_quotes(body[2]))
        return any(_DESTROYS.match(part.strip()) for part in parts) or any(map(destroys_data, texts))
    return any(_DESTROYS.match(statement) for statement in _statements(sql))


def _statements(sql: str) -> Iterator[str]:
    text = _ROUTINE.sub(r"\1", _without_quotes(sql))
    for statement in text.split(";"):
        if stripped := statement.strip():
            yield stripped


def _without_quotes(sql: str) -> str:
    return _LEXEME.sub(lambda found: " " if found[0].startswith(("--", "/*")) else "x", sql)
