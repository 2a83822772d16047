"""Whether a type of SQL evidently holds every value of another one."""

from __future__ import annotations

import re
from typing import Final

_INTEGERS: Final = {"smallint": 2, "int2": 2, "integer": 4, "int": 4, "int4": 4, "bigint": 8, "int8": 8}
_TEXTS: Final = frozenset(("text", "varchar", "character varying"))
_NUMERICS: Final = frozenset(("numeric", "decimal"))
_SPLIT: Final = re.compile(r"([a-z_ ]+?)\s*(?:\(\s*([\d\s,]+)\))?\s*$")


def widens(old: str, new: str) -> bool:
    """Whether ``new`` holds all of ``old``; an unknown old type (the empty text) fits only into text."""
    of, to = _parts(old), _parts(new)
    if to[0] in _TEXTS and not to[1]:
        return True
    if not old:
        return False
    if of == to and old == new:
        return True
    if of[0] in _INTEGERS and to[0] in _INTEGERS:
        return _INTEGERS[of[0]] <= _INTEGERS[to[0]]
    if of[0] in _TEXTS and to[0] in _TEXTS:
        return bool(of[1]) and of[1][0] <= to[1][0]
    if of[0] in _NUMERICS and to[0] in _NUMERICS:
        return not to[1] or (
            bool(of[1]) and _digits(of[1]) <= _digits(to[1]) and _scale(of[1]) <= _scale(to[1])
        )
    return of[0] == "date" and to[0].startswith("timestamp")


def _parts(text: str) -> tuple[str, tuple[int, ...]]:
    match = _SPLIT.match(text.lower().strip())
    if match is None:
        return text, ()
    numbers = tuple(int(part) for part in (match[2] or "").replace(" ", "").split(",") if part)
    return " ".join(match[1].split()), numbers


def _scale(numbers: tuple[int, ...]) -> int:
    return numbers[1] if len(numbers) > 1 else 0


def _digits(numbers: tuple[int, ...]) -> int:
    return numbers[0] - _scale(numbers)
