"""The fast reading of a revision file's header: one regular expression, or "unsure".

The expression walks whole lines from the file's first byte, over comments, strings that stand alone,
imports and literal assignments, and stops at the first line that it does not know. So it is never
inside a string, a bracket or a block by accident. The rest of the file is only searched for anything
that could bind one of the four names again. What is not plain gives None: the syntax tree decides.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from corehost.alembic.possessive import compiled


class Header(NamedTuple):
    """The header of one revision file."""

    revision: str | None
    """The revision id; None where the file binds none."""
    down_revision: tuple[str, ...] | None
    """The parents; None where the file does not bind the name."""
    depends_on: tuple[str, ...]
    """What else must be applied before."""
    branch_labels: tuple[str, ...]
    """Alembic branch labels."""
    message: str
    """The first line of the docstring."""


NAMES: Final = ("revision", "down_revision", "depends_on", "branch_labels")
"""What Alembic reads of a revision's module."""

DYNAMIC: Final = frozenset(
    ("globals", "locals", "vars", "exec", "eval", "setattr", "modules", "builtins", "__dict__", "f_globals")
)
"""Names through which code can bind a module's attributes unseen."""

# Bytes, so that \w and \b are ASCII. Line ends are Python's: \n, \r\n and \r. No string may hold a
# backslash, no statement a semicolon: those are left to the syntax tree.
_WS = r"[ \t\r\n]*+"
_BLANK = r"[ \t]*+(?:#[^\r\n]*+)?+(?:\r\n?|\n)"
_EOL = r"[ \t]*+(?:#[^\r\n]*+)?+(?:\r\n?|\n|\Z)"
_LINE1, _LINE2 = r"[^'\\\r\n]*+", r'[^"\\\r\n]*+'
_BLOCK1, _BLOCK2 = r"[^'\\]*+(?:'(?!'')[^'\\]*+)*+", r'[^"\\]*+(?:"(?!"")[^"\\]*+)*+'
_DOC = rf"""(?:\"""({_BLOCK2})\"""|\'''({_BLOCK1})\'''|"({_LINE2})"|'({_LINE1})'){_EOL}"""
_ALONE = rf"""(?:\"""{_BLOCK2}\"""|\'''{_BLOCK1}\'''){_EOL}"""
_TEXT = rf"""[uU]?+(?:'{_LINE1}'|"{_LINE2}")"""
_TEXTS = rf"{_WS}(?:{_TEXT}{_WS}(?:,{_WS}{_TEXT}{_WS})*+,?+{_WS})?+"
_IS = (
    r"[ \t]*+(?::[ \t]*+[A-Za-z_][\w.\[\], \t|]*+)?+=[ \t]*+"
    rf"(None|{_TEXT}|\({_TEXTS}\)|\[{_TEXTS}\]){_EOL}"
)
_NAME = r"(?!(?:down_)?revision\b|depends_on\b|branch_labels\b|__getattr__\b)[A-Za-z_]\w*+"
_AS = rf"(?:[ \t]++as[ \t]++{_NAME})?+"
_PART, _MODULE = rf"{_NAME}{_AS}", rf"{_NAME}(?:\.\w++)*+{_AS}"
_GAP = r"(?:[ \t\r\n]++|#[^\r\n]*+)*+"
_FROM = (
    r"from[ \t]++[.\w]++[ \t]++import[ \t]++"
    rf"(?:{_PART}(?:[ \t]*+,[ \t]*+{_PART})*+"
    rf"|\({_GAP}{_PART}{_GAP}(?:,{_GAP}{_PART}{_GAP})*+,?+{_GAP}\)){_EOL}"
)
_IMPORT = rf"import[ \t]++{_MODULE}(?:[ \t]*+,[ \t]*+{_MODULE})*+{_EOL}"
HEAD: Final = (
    rf"(?:\xef\xbb\xbf)?+((?:{_BLANK})*+)(?:{_DOC})?+"
    rf"(?:{_BLANK}|revision{_IS}|down_revision{_IS}|depends_on{_IS}|branch_labels{_IS}"
    rf"|{_FROM}|{_IMPORT}|{_ALONE})*+"
).encode()
"""The one expression."""
_HEAD: Final = compiled(HEAD)
_TEXT_IN: Final = re.compile(rb"""'([^']*)'|"([^"]*)\"""")
_CODING: Final = re.compile(rb"coding[:=][ \t]*+([-\w.]++)")
# A line at the outermost level that is not a comment and does not begin a plain function.
_OUTER: Final = re.compile(
    rf"\n(?=[^ \t\n#])(?!def {_NAME}\([\w, :.|\[\]]*\)(?: -> [\w., |\[\]]+)?:)".encode()
)
_STAR: Final = re.compile(rb"import[ \t\\\r\n]*+\*")
_UNSEEN: Final = re.compile(rb"\b(?:%b|__getattr__)\b" % "|".join(sorted(DYNAMIC)).encode())
# Plain searches first: each is twenty times faster than the expression that confirms it.
_UNSEEN_PARTS: Final = tuple(
    name.encode() for name in sorted({*DYNAMIC, "__getattr__"} - {"exec", "f_globals"})
)
# A word right after a quote is inside that string, one after a dot is an attribute: neither is a name.
# Each begins with plain text, which the search looks for first.
_BOUND: Final = tuple(
    re.compile(
        rb"""%b(?![\w\x80-\xff])(?:(?<![\w.'"\x80-\xff]%b)|(?<=down_%b)(?<![\w.'"\x80-\xff]down_%b))"""
        % (word, word, word, word)
    )
    for word in (b"revision", b"depends_on", b"branch_labels")
)
_QUOTES: Final = (ord("'"), ord('"'))


def scan(source: bytes) -> Header | None:
    """The header, where it is certain without parsing the file; None where it is not.

    A result is what executing the file would give, provided that Python can compile it.
    """
    try:
        match = _HEAD.match(source)
    except SystemError:  # cpython#101955: some alternatives in a possessive repetition
        return None
    assert match is not None  # it matches the empty text
    lead, doc1, doc2, doc3, doc4, revision, down_revision, depends_on, branch_labels = match.groups()
    if revision is None or down_revision is None or revision[-1] not in _QUOTES:
        return None
    if b"\f" in source or (b"coding" in lead and not _is_utf8(lead)):
        return None  # a form feed sets the column back to zero, even after blanks
    try:
        if not _is_quiet(source, match.end()):
            return None
        doc = doc1 or doc2 or doc3 or doc4
        return Header(
            _texts(revision)[0],
            _texts(down_revision),
            _texts(depends_on) if depends_on else (),
            _texts(branch_labels) if branch_labels else (),
            first_line(doc.decode()) if doc else "",
        )
    except UnicodeDecodeError:
        return None


def first_line(docstring: str) -> str:
    """The first line of a docstring that says something."""
    return docstring.strip().partition("\n")[0].partition("\r")[0].rstrip()


def _is_utf8(comments: bytes) -> bool:
    return all(name.lower() in (b"utf-8", b"utf8") for name in _CODING.findall(comments))


def _is_quiet(source: bytes, end: int) -> bool:
    """Whether nothing after the header binds or changes one of the names when the file is executed."""
    rest, start = source, end - 1
    if b"\r" in source:
        rest, start = b"\n" + source[end:].replace(b"\r\n", b"\n").replace(b"\r", b"\n"), 0
    if _OUTER.search(rest, start) is None:
        return True
    if not source.isascii():
        # Python compares identifiers in their compatibility form.
        rest, start = unicodedata.normalize("NFKC", rest[start:].decode()).encode(), 0
    rest = rest[start:]
    if any(word.search(rest) for word in _BOUND):
        return False
    if b"import" in rest and _STAR.search(rest):
        return False
    unseen = any(part in rest for part in _UNSEEN_PARTS) or rest.count(b"exec") > rest.count(b"execut")
    return not (unseen and _UNSEEN.search(rest))


def _texts(value: bytes) -> tuple[str, ...]:
    if value == b"None":
        return ()
    if value[0] in _QUOTES:
        return (value[1:-1].decode(),)
    return tuple([(one or two).decode() for one, two in _TEXT_IN.findall(value)])
