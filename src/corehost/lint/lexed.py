"""SQL text taken apart as far as words and brackets go: comments, quotes, statements, lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FLAGS: Final = re.IGNORECASE | re.DOTALL
_PART: Final = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<text>e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<name>"(?:[^"]|"")*")
      | (?P<end>;)""",
    _FLAGS | re.VERBOSE,
)
IDENTIFIER: Final = r'(?:"(?:[^"]|"")+"|[a-z_\x80-\uffff][\w$]*)'
NAME: Final = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?"


def statements(sql: str) -> Iterator[tuple[str, str]]:
    """The statements of a text: without comments and with every constant text as ``''``, and as written."""
    found: list[str] = []
    place = start = 0
    for part in _PART.finditer(sql):
        found.append(sql[place : part.start()])
        place = part.end()
        if part["comment"]:
            found.append(" ")
        elif part["text"]:
            found.append("''")
        elif part["name"]:
            found.append(part[0])
        else:
            yield from _whole(found, sql[start : part.start()])
            found, start = [], place
    found.append(sql[place:])
    yield from _whole(found, sql[start:])


def _whole(parts: list[str], written: str) -> Iterator[tuple[str, str]]:
    if text := " ".join("".join(parts).split()):
        yield text, written.strip()


def split(text: str) -> list[str]:
    """The parts between the commas of the outermost level."""
    parts, depth, start, quoted = [], 0, 0, False
    for place, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def bracketed(text: str) -> str:
    """What is between the first opening bracket and the one that closes it."""
    start = text.find("(")
    depth = 0
    for place in range(max(start, 0), len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0 and start >= 0:
            return text[start + 1 : place]
    return ""


def unquoted(identifier: str) -> str:
    """The name that an identifier stands for."""
    identifier = identifier.strip()
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()


def qualified(name: str, schema: str) -> tuple[str, str]:
    """Schema and name; the first that is looked in where none is written."""
    parts = [unquoted(part) for part in re.findall(IDENTIFIER, name, _FLAGS)]
    return (parts[0], parts[1]) if len(parts) > 1 else (schema, parts[0])


def columns(text: str) -> tuple[str, ...]:
    """The names of a list of columns, such as that of an index; expressions are left out."""
    found = (re.match(rf"({IDENTIFIER})(?!\s*\()", part, _FLAGS) for part in split(text))
    return tuple(unquoted(match[1]) for match in found if match)


def mentioned(text: str) -> frozenset[str]:
    """Every identifier in a text."""
    return frozenset(unquoted(name) for name in re.findall(IDENTIFIER, text, _FLAGS))
