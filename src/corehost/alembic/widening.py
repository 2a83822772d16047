"""Whether a column's new type evidently holds every value of its old one."""

from __future__ import annotations

import ast
from typing import Final

_INTEGERS: Final = {"SMALLINTEGER": 2, "SMALLINT": 2, "INTEGER": 4, "INT": 4, "BIGINTEGER": 8, "BIGINT": 8}
_FLOATS: Final = {"REAL": 4, "FLOAT": 8, "DOUBLE": 8, "DOUBLE_PRECISION": 8}
_DIGITS: Final = {2: 6, 4: 11, 8: 20}  # with the sign
_VARYING: Final = frozenset(("STRING", "VARCHAR", "UNICODE", "NVARCHAR", "TEXT", "UNICODETEXT"))
_NUMERICS: Final = frozenset(("NUMERIC", "DECIMAL"))
_STAMPS: Final = frozenset(("DATETIME", "TIMESTAMP"))


def widens(old: ast.expr | None, new: ast.expr) -> bool:
    """Whether the type expression ``new`` evidently holds all that ``old`` holds.

    So it is for text without a length, the same type, a longer text, a text that is long enough for the
    enum or integer it was, a larger integer or float, a numeric with no fewer digits on either side, an
    enum with more values, and a date made a timestamp.
    """
    to = _Type(new)
    if to.name in _VARYING and not to.arguments:
        return True
    if old is None:
        return False
    of = _Type(old)
    if ast.dump(old) == ast.dump(new):
        return True
    for sizes in (_INTEGERS, _FLOATS):
        if of.name in sizes and to.name in sizes:
            return sizes[of.name] <= sizes[to.name]
    if to.name in _VARYING:
        return _all_at_most([of.longest], to.numbers("length"))
    if to.name in _NUMERICS and (of.name in _NUMERICS or of.name in _INTEGERS):
        return not to.arguments or _holds_digits(of, to)
    if of.name == to.name == "ENUM":
        return of.texts is not None and to.texts is not None and of.texts <= to.texts
    return of.name == "DATE" and to.name in _STAMPS


class _Type:
    """``sa.String(length=50)`` taken apart."""

    def __init__(self, node: ast.expr):
        function, call = (node.func, node) if isinstance(node, ast.Call) else (node, None)
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        self.name: str = name.upper()
        """The type's name in capitals; empty where it is not plain."""
        self.arguments: list[ast.expr] = call.args if call else []
        """What it is called with by position, and what gives its size by keyword."""
        self._named = {word.arg: word.value for word in call.keywords} if call else {}
        self.arguments = [
            *self.arguments,
            *(self._named[name] for name in ("length", "precision", "scale") if name in self._named),
        ]

    @property
    def texts(self) -> set[str] | None:
        """The values of an enum; None where they are not literal."""
        values = [item.value if isinstance(item, ast.Constant) else None for item in self.arguments]
        texts = {value for value in values if isinstance(value, str)}
        return texts if texts and len(texts) == len(values) else None

    @property
    def longest(self) -> int | None:
        """The length of the longest text that a value of it can be written as, where that is known."""
        if self.name in _VARYING or self.name == "CHAR":
            return self.numbers("length")[0]
        if self.name == "ENUM":
            return max(map(len, self.texts)) if self.texts else None
        return _DIGITS[_INTEGERS[self.name]] if self.name in _INTEGERS else None

    def numbers(self, *names: str) -> list[int | None]:
        """The sizes of those names, given by position or keyword; None where one is not literal."""
        found: list[int | None] = []
        for place, name in enumerate(names):
            node = self._named.get(name) or (self.arguments[place] if place < len(self.arguments) else None)
            value = node.value if isinstance(node, ast.Constant) else None
            found.append(value if isinstance(value, int) else None)
        return found


def _all_at_most(small: list[int | None], large: list[int | None]) -> bool:
    return all(
        one is not None and two is not None and one <= two for one, two in zip(small, large, strict=True)
    )


def _holds_digits(of: _Type, to: _Type) -> bool:
    if of.name in _INTEGERS:
        return False
    of_all, of_after = of.numbers("precision", "scale")
    to_all, to_after = to.numbers("precision", "scale")
    if of_all is None or to_all is None:
        return False
    before = (of_all - (of_after or 0), to_all - (to_after or 0))
    return _all_at_most([before[0], of_after or 0], [before[1], to_after or 0])
