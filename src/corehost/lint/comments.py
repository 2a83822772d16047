"""``# corehost: ignore[rule] reason``: what an author has looked at and left as it is."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import Final

_IGNORE: Final = re.compile(r"#\s*corehost:\s*ignore\[([\w\s,-]+)\](.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignore:
    """One comment."""

    line: int
    rules: frozenset[str]
    reason: str
    """Why; empty where none is given, and then nothing is ignored."""
    whole_file: bool
    """Whether it stands outside of any function."""


class Source:
    """A revision file as its author wrote it: comments, and where statements begin and end."""

    def __init__(self, text: str):
        self._tree = ast.parse(text)
        self._spans = [
            (node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.stmt) and not hasattr(node, "body")
        ]
        functions = [
            (node.lineno, node.end_lineno or node.lineno)
            for node in self._tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        self._comments: dict[int, str] = {}
        self.ignores: tuple[Ignore, ...] = ()
        """The comments that ignore a rule."""
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                self._comments[token.start[0]] = token.string
        self._own_line = {
            number for number, line in enumerate(text.splitlines(), 1) if line.lstrip().startswith("#")
        }
        self.ignores = tuple(
            Ignore(
                line=line,
                rules=frozenset(rule.strip() for rule in match[1].split(",")),
                reason=match[2].strip(" :-\u2013\u2014"),
                whole_file=not any(first <= line <= last for first, last in functions),
            )
            for line, comment in self._comments.items()
            if (match := _IGNORE.search(comment))
        )

    def reason(self, rule: str, line: int | None) -> str | None:
        """The reason why a rule is ignored at a line; None where it is not."""
        first, last = self._span(line)
        for ignore in self.ignores:
            here = ignore.whole_file or first <= ignore.line <= last
            if here and rule in ignore.rules and ignore.reason:
                return ignore.reason
        return None

    def line_of(self, name: str) -> int | None:
        """The line on which the module assigns a name."""
        for statement in self._tree.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if isinstance(statement, ast.AnnAssign):
                targets = [statement.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return statement.lineno
        return None

    def _span(self, line: int | None) -> tuple[int, int]:
        """The lines of the statement at a line, with the comments above it."""
        if line is None:
            return 0, -1
        around = [span for span in self._spans if span[0] <= line <= span[1]]
        first, last = min(around, key=lambda span: span[1] - span[0], default=(line, line))
        while first - 1 in self._own_line:
            first -= 1
        return first, last
