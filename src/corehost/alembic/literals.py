"""What module attributes a source file binds, told from its syntax tree where that is certain."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Iterator
from typing import Final

from corehost.alembic.pattern import DYNAMIC
from corehost.core.errors import RevisionFileError, Where

Function = ast.FunctionDef | ast.AsyncFunctionDef

_UNKNOWN: Final = object()
# Star imports that are known to bring none of the names that are read here.
_HARMLESS_STARS: Final = ("sqlalchemy", "alembic.op")


def parse(source: bytes, where: Where) -> ast.Module:
    """The syntax tree, with the encoding that the file declares; raises RevisionFileError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's package
            return ast.parse(source, where.file or "<revision>")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise not_python(error, where) from None


def not_python(error: Exception, where: Where) -> RevisionFileError:
    """The RevisionFileError for what ``compile`` raised."""
    reason = str(error) or type(error).__name__
    if isinstance(error, SyntaxError):
        reason = error.msg
        if error.lineno:
            reason = f"line {error.lineno}: {reason}"
        if error.text and error.text.strip():
            reason = f"{reason}: {error.text.strip()}"
    return RevisionFileError(
        f"the revision file does not compile: {reason}",
        where=where,
        hint="correct the file, or install a version of its package that is made for this Python",
    )


def module_literals(tree: ast.Module, names: Collection[str]) -> dict[str, object] | None:
    """The values of those names once the module is executed, without the names that it does not bind.

    None where the source alone does not tell: values that are computed or imported, names bound in a
    condition, changed afterwards or reachable through ``globals()`` and its like.
    """
    module = _Module(names)
    for statement in tree.body:
        module.run(statement)
    for node in executed(tree):
        module.notice(node)
    if module.anything or ("__getattr__" in module.values and any(n not in module.values for n in names)):
        return None
    found = {name: module.values[name] for name in names if name in module.values}
    return None if any(value is _UNKNOWN for value in found.values()) else found


def addends(node: ast.expr) -> list[ast.expr]:
    """The operands of ``a + b + c``, which is deeper in the tree than Python recurses."""
    operands = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        operands.append(node.right)
        node = node.left
    return [node, *reversed(operands)]


def executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node that importing the module may run.

    The bodies of functions are among them only where something that runs mentions the function.
    """
    mentioned: set[str] = set()
    waiting: dict[str, list[Function]] = {}
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Function):
            stack += [*node.decorator_list, node.args]
            if node.decorator_list or node.name in mentioned or node.name.startswith("__"):
                stack += node.body
            else:
                waiting.setdefault(node.name, []).append(node)
            continue
        stack += ast.iter_child_nodes(node)
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name not in mentioned:
            mentioned.add(name)
            for function in waiting.pop(name, ()):
                stack += function.body


class _Module:
    """The module's names while its statements are followed from the first to the last."""

    def __init__(self, names: Collection[str]):
        self.names = names
        self.values: dict[str, object] = {}
        self.anything = False
        """Whether any name may have any value."""

    def run(self, statement: ast.stmt) -> None:
        """Follow one statement of the outermost level."""
        match statement:
            case ast.AnnAssign(annotation=annotation, value=None):
                self.forget(annotation)  # it binds nothing, but what is inside it may
            case ast.AnnAssign(target=annotated, value=ast.expr() as node):
                value = self.literal(node)
                self.forget(statement)
                self.bind(annotated, value)
            case ast.Assign(targets=targets, value=node):
                value = self.literal(node)
                self.forget(statement)
                if len(targets) > 1 and not _is_immutable(value):
                    value = _UNKNOWN
                for target in targets:
                    self.bind(target, value)
            case _:
                self.forget(statement)

    def forget(self, code: ast.AST) -> None:
        """What the code binds is not known any more."""
        for name in _bound(code):
            self.values[name] = _UNKNOWN
            if name == "*":
                self.import_star(code)

    def import_star(self, code: ast.AST) -> None:
        """Whatever the other module has may now be bound here."""
        origin = code.module or "" if isinstance(code, ast.ImportFrom) else ""
        harmless = any(origin == name or origin.startswith(f"{name}.") for name in _HARMLESS_STARS)
        for name in {*self.values, *self.names}:
            if name not in self.names or not harmless:
                self.values[name] = _UNKNOWN

    def bind(self, target: ast.expr, value: object) -> None:
        """Give a target of an assignment its value."""
        if isinstance(target, ast.Name):
            self.values[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, tuple | list):
            starred = any(isinstance(part, ast.Starred) for part in target.elts)
            if not starred and len(target.elts) == len(value):
                for part, item in zip(target.elts, value, strict=True):
                    self.bind(part, item)

    def literal(self, node: ast.expr) -> object:
        """The value of an expression of constants, or ``_UNKNOWN``."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                known = self.values.get(name, _UNKNOWN)
                return known if _is_immutable(known) else _UNKNOWN
            case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
                items = [self.literal(item) for item in elts]
                if any(item is _UNKNOWN for item in items):
                    return _UNKNOWN
                if isinstance(node, ast.List):
                    return items
                if isinstance(node, ast.Tuple):
                    return tuple(items)
                return set(items) if all(_is_immutable(item) for item in items) else _UNKNOWN
            case ast.BinOp(op=ast.Add()):
                return self.added([self.literal(operand) for operand in addends(node)])
        return _UNKNOWN

    def added(self, values: list[object]) -> object:
        """The sum of texts, or of tuples; else ``_UNKNOWN``."""
        if all(isinstance(value, str) for value in values):
            return "".join(map(str, values))
        if all(isinstance(value, tuple) for value in values):
            return tuple(item for value in values if isinstance(value, tuple) for item in value)
        return _UNKNOWN

    def notice(self, node: ast.AST) -> None:
        """Take account of what a node that is executed may do to the names behind our back."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                if name in self.names and not _is_immutable(self.values.get(name)):
                    self.values[name] = _UNKNOWN  # a list that may be changed in place
                self.anything |= name in DYNAMIC
            case ast.Attribute(attr=name) | ast.alias(name=name):
                self.anything |= name in DYNAMIC
            case ast.Global(names=names):
                self.values.update((name, _UNKNOWN) for name in names)


def _is_immutable(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_immutable(item) for item in value)
    return value is None or isinstance(value, str | int | float | bytes)


def _bound(code: ast.AST) -> Iterator[str]:
    """The names that code may bind or delete, in blocks too, but not in functions and classes."""
    stack: list[ast.AST] = [code]
    while stack:
        match node := stack.pop():
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
                stack += [*node.decorator_list, node.args]
            case ast.ClassDef(name=name):
                yield name
                stack += [*node.decorator_list, *node.bases, *node.keywords]
            case ast.Import(names=names):
                yield from (item.asname or item.name.partition(".")[0] for item in names)
            case ast.ImportFrom(names=names):
                yield from (item.asname or item.name for item in names)
            case ast.Lambda():
                pass
            case _:
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    yield node.id
                for field in ("name", "rest"):  # of exception handlers and match patterns
                    if isinstance(bound := getattr(node, field, None), str):
                        yield bound
                stack += ast.iter_child_nodes(node)
