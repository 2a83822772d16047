"""Small questions about syntax trees: pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from corehost.alembic.reach import call_name

__all__ = ["call_name", "constant", "dotted", "imports", "keyword", "nodes", "texts"]


def nodes(module: ast.Module, *, without: str = "downgrade") -> Iterator[ast.AST]:
    """Every node but those of functions of that name (or a name that begins with it), and docstrings."""
    stack: list[ast.AST] = [module]
    while stack:
        node = stack.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            name = getattr(child, "name", None) if isinstance(child, ast.FunctionDef) else None
            if without and name is not None and (name == without or name.startswith(f"{without}_")):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            stack.append(child)


def dotted(node: ast.AST | None) -> str:
    """``a.b.c`` of such an expression, a call's ``()`` left out; empty where it is something else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            left = dotted(value)
            return f"{left}.{name}" if left else ""
        case ast.Call(func=function):
            return dotted(function)
    return ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((word.value for word in call.keywords if word.arg == name), None)


def constant(node: ast.AST | None) -> str | None:
    """The text of a literal; else None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def texts(found: list[ast.AST]) -> Iterator[tuple[str, int]]:
    """Every literal text with its line; ``x`` stands for what an f-string fills in."""
    inside = {id(part) for node in found if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in found:
        if isinstance(node, ast.JoinedStr):
            yield "".join(constant(part) or "x" for part in node.values), node.lineno
        elif (text := constant(node)) is not None and id(node) not in inside:
            yield text, getattr(node, "lineno", 0)


def imports(module: ast.Module, found: list[ast.AST]) -> Iterator[tuple[str, int]]:
    """The absolute modules that are imported, with the line; not those whose absence is provided for."""
    optional = {
        id(inner)
        for node in ast.walk(module)
        if isinstance(node, ast.Try) and node.handlers
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in found:
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            yield from ((item.name, node.lineno) for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
