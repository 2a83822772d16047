"""Possessive repetitions for the first Pythons 3.11, which match too much with them."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

_IS_RELIABLE: Final = sys.version_info >= (3, 11, 5)
"""Where cpython#100061 and cpython#106052 are mended."""


def compiled(pattern: bytes) -> re.Pattern[bytes]:
    """The expression; where possessive repetitions are wrong, with what they stand for."""
    return re.compile(pattern) if _IS_RELIABLE else compiled_as_atomic(pattern)


def compiled_as_atomic(pattern: bytes) -> re.Pattern[bytes]:
    """The expression with each ``X*+`` as ``(?>X*)``, which every Python 3.11 gets right.

    By the module's own parser, whose interface is not public: the Pythons that need this do not change.
    """
    from re import _compiler, _parser  # type: ignore[attr-defined]

    tree = _parser.parse(pattern)
    _make_atomic(tree, _parser)
    found: re.Pattern[bytes] = _compiler.compile(tree)
    return found


def _make_atomic(tree: Any, parser: Any) -> None:
    for place, (kind, given) in enumerate(tree.data):
        for inner in _inner(given, parser):
            _make_atomic(inner, parser)
        if kind is parser.POSSESSIVE_REPEAT:
            greedy = parser.SubPattern(tree.state, [(parser.MAX_REPEAT, given)])
            tree.data[place] = (parser.ATOMIC_GROUP, greedy)


def _inner(given: Any, parser: Any) -> list[Any]:
    if isinstance(given, parser.SubPattern):
        return [given]
    if isinstance(given, (tuple, list)):
        return [found for item in given for found in _inner(item, parser)]
    return []
