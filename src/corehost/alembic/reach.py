"""What code of a revision file its ``upgrade`` reaches inside the same module."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from corehost.alembic.literals import addends

_EXECUTES: Final = ("text", "DDL", "exec_driver_sql", "scalar", "scalars")
_SPEAKS: Final = frozenset(
    ("print", "debug", "info", "warning", "warn", "error", "exception", "critical", "log", "getLogger")
)
_DESCRIBES: Final = frozenset(("comment", "doc", "help", "info"))


@dataclass(kw_only=True)
class Reached:
    """What was found on the way."""

    calls: list[ast.Call] = field(default_factory=list)
    """Every call."""
    names: set[str] = field(default_factory=set)
    """Every name and attribute that is mentioned."""
    texts: list[str] = field(default_factory=list)
    """Every literal text that is neither documentation nor said to somebody."""
    executed: list[str] = field(default_factory=list)
    """Those texts that are handed to something that executes SQL, as far as it shows."""


def reach(tree: ast.Module, start: str = "upgrade") -> Reached:
    """Follow a module's function, and whatever of the module it mentions, by name."""
    definitions = dict[str, list[ast.AST]]()
    for name, node in _definitions(tree.body):
        definitions.setdefault(name, []).append(node)
    walk = _Walk(definitions)
    walk.mention(start)
    walk.run()
    return walk.reached()


def call_name(call: ast.Call) -> str:
    """The last part of what is called: ``drop_table`` of ``op.drop_table(…)``; empty where there is none."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """What the outermost level binds by definition or assignment, inside conditions too."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, statement
            case ast.Assign(targets=targets, value=value):
                for name in _targets(targets):
                    yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                yield name, value
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
                yield from _definitions(inner)
                for handler in getattr(statement, "handlers", ()):
                    yield from _definitions(handler.body)


def _targets(targets: list[ast.expr]) -> Iterator[str]:
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id


class _Walk:
    def __init__(self, definitions: dict[str, list[ast.AST]]):
        self._definitions = definitions
        self._stack: list[ast.AST] = []
        self._found = Reached()
        self._assigned: dict[str, list[str]] = {}
        self._executed_names: set[str] = set()

    def reached(self) -> Reached:
        """What was found; a text that was assigned to an executed name counts as executed."""
        for name in self._executed_names:
            self._found.executed += self._assigned.get(name, [])
        return self._found

    def mention(self, name: str) -> None:
        """The code uses this name: what the module binds to it is reached."""
        self._found.names.add(name)
        for node in self._definitions.pop(name, ()):
            self._note_assigned(name, node)
            self._stack.append(node)
        if name == "globals":  # Alembic's template for several databases calls upgrade_<name> through it
            for other in [other for other in self._definitions if other.startswith("upgrade_")]:
                self.mention(other)

    def run(self) -> None:
        """Look at everything reached."""
        while self._stack:
            self._look(self._stack.pop())

    def _look(self, node: ast.AST) -> None:
        if (text := _text(node)) is not None:
            self._found.texts.append(text)
            self._stack += _inside_text(node)
            return
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Raise():
                return
            case ast.Name(id=name) | ast.Attribute(attr=name):
                self.mention(name)
            case ast.Call():
                self._call(node)
                return
            case ast.Assign(targets=targets, value=value):
                for name in _targets(targets):
                    self._note_assigned(name, value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                for name in _targets([target]):
                    self._note_assigned(name, value)
        self._stack += _children(node)

    def _call(self, call: ast.Call) -> None:
        self._found.calls.append(call)
        name = call_name(call)
        self._stack.append(call.func)
        arguments = [*call.args, *(word.value for word in call.keywords if word.arg not in _DESCRIBES)]
        if name in _SPEAKS:
            self._stack += [argument for argument in arguments if _text(argument) is None]
            return
        self._stack += arguments
        if name in _EXECUTES or name.startswith("execute"):
            for argument in arguments:
                self._found.executed += _texts_in(argument)
                self._executed_names.update(n.id for n in ast.walk(argument) if isinstance(n, ast.Name))

    def _note_assigned(self, name: str, node: ast.AST) -> None:
        if isinstance(node, ast.expr):
            self._assigned.setdefault(name, []).extend(_texts_in(node))


def _children(node: ast.AST) -> Iterable[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return addends(node)
    return ast.iter_child_nodes(node)


def _texts_in(node: ast.AST) -> list[str]:
    found = []
    stack = [node]
    while stack:
        part = stack.pop()
        if (text := _text(part)) is not None:
            found.append(text)
        else:
            stack += _children(part)
    return found


def _text(node: ast.AST) -> str | None:
    """A literal text, an f-string or a concatenation with ``x`` for what is filled in; else None."""
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "x" for part in parts)
        case ast.BinOp(op=ast.Add()):
            texts = [_text(operand) for operand in addends(node)]
            return None if not any(texts) else "".join("x" if text is None else text for text in texts)
        case ast.BinOp(left=left, op=ast.Mod()):
            return _text(left)
    return None


def _inside_text(node: ast.AST) -> list[ast.AST]:
    """What a text is put together from, without its literal parts."""
    return [child for child in ast.walk(node) if child is not node and isinstance(child, ast.Name | ast.Call)]
