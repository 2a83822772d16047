"""What the source of revision files shows of what a host has to supply: pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from corehost.alembic.reach import call_name
from corehost.alembic.statements import ends_transaction, runs_outside_transaction
from corehost.doctor.revision_file import RevisionFile

_ENGINES: Final = frozenset(
    ("create_engine", "create_async_engine", "engine_from_config", "async_engine_from_config")
)
_APPLICATION: Final = frozenset(("current_app", "app_context", "create_app", "has_app_context"))
_PUBLIC: Final = re.compile(r"""(?<![\w.])"?public"?\s*\.\s*["\w]""", re.IGNORECASE)
_SQL: Final = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:alter|comment|copy|create|delete|do|drop|explain|grant|insert|lock|refresh|reindex"
    r"|revoke|select|set|truncate|update|with)\b",
    re.IGNORECASE,
)
_EXTENSION: Final = re.compile(
    r'\bcreate\s+extension\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([\w-]+))', re.IGNORECASE
)
_SCHEMA: Final = re.compile(
    r'\bcreate\s+schema\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|(\w+))', re.IGNORECASE
)


class Sight(NamedTuple):
    """One thing at one place."""

    code: str
    """The code of the finding that it becomes."""
    what: str
    """What exactly: a name, or nothing."""
    file: str
    """The file."""
    line: int
    """The line in it."""


def sights(files: Iterable[RevisionFile]) -> Iterator[Sight]:
    """What there is to see in these files, in their order."""
    for file in files:
        if file.module is not None:
            for code, what, node in _seen(file.module):
                yield Sight(code, what, file.path, getattr(node, "lineno", 1))


def _seen(module: ast.Module) -> Iterator[tuple[str, str, ast.AST]]:
    arguments = _x_arguments(module)
    for node in ast.walk(module):
        match node:
            case ast.Call():
                yield from ((code, what, node) for code, what in _call(node))
                yield from ((code, what, node) for code, what in _texts(node))
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _APPLICATION:
                yield "application-context", name, node
            case ast.Assign(targets=[ast.Name(id="schema")], value=ast.Constant(value=str() as schema)):
                yield "schema-literal", schema, node
        if (name := _key_of(node, arguments)) is not None:
            yield "x-argument", name, node
    if not arguments:
        return
    if not any(_key_of(node, arguments) is not None for node in ast.walk(module)):
        first = next(node for node in ast.walk(module) if _is_x_argument(node))
        yield "x-argument", "", first


def _call(call: ast.Call) -> Iterator[tuple[str, str]]:
    name = call_name(call)
    for word in call.keywords:
        if word.arg in ("schema", "source_schema", "referent_schema") and isinstance(word.value, ast.Constant):
            if isinstance(word.value.value, str):
                yield "schema-literal", word.value.value
        elif word.arg == "postgresql_concurrently" and getattr(word.value, "value", None) is True:
            yield "own-transaction", "CONCURRENTLY"
    if name in _ENGINES:
        yield "own-engine", name
    elif name == "commit":
        yield "commits", "commit()"
    elif name == "autocommit_block":
        yield "own-transaction", name
    elif name in ("get_main_option", "get_section_option"):
        yield "option", _constant(call.args[-1:] if name == "get_main_option" else call.args[1:2])


def _texts(call: ast.Call) -> Iterator[tuple[str, str]]:
    """What the SQL among the arguments of a call shows."""
    for argument in (*call.args, *(word.value for word in call.keywords)):
        text = _text(argument)
        if text is None:
            continue
        if ends_transaction(text) and call_name(call) in ("execute", "text", "exec_driver_sql", "DDL"):
            yield "commits", "COMMIT in SQL"
        if not _SQL.match(text):
            continue
        if _PUBLIC.search(text):
            yield "public-in-sql", ""
        if runs_outside_transaction(text):
            yield "own-transaction", "CONCURRENTLY"
        for found in _EXTENSION.finditer(text):
            yield "extension", found[1] or found[2]
        for found in _SCHEMA.finditer(text):
            yield "makes-schema", found[1] or found[2]


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "x" for part in parts)
    return None


def _constant(arguments: Sequence[ast.expr]) -> str:
    return (_text(arguments[0]) or "") if arguments else ""


def _x_arguments(module: ast.Module) -> frozenset[str]:
    """The names that hold what ``context.get_x_argument()`` returned; itself among them where it is used."""
    found = set()
    for node in ast.walk(module):
        if _is_x_argument(node):
            found.add("get_x_argument")
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_x_argument(value):
                found.add(name)
    return frozenset(found)


def _is_x_argument(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and call_name(node) == "get_x_argument"


def _key_of(node: ast.AST, names: frozenset[str]) -> str | None:
    """``"name"`` of ``arguments["name"]``, ``arguments.get("name")`` and ``"name" in arguments``."""
    match node:
        case ast.Subscript(value=held, slice=ast.Constant(value=str() as key)):
            pass
        case ast.Call(
            func=ast.Attribute(value=held, attr="get" | "pop"), args=[ast.Constant(value=str() as key), *_]
        ):
            pass
        case ast.Compare(left=ast.Constant(value=str() as key), ops=[ast.In()], comparators=[held]):
            pass
        case _:
            return None
    known = _is_x_argument(held) or (isinstance(held, ast.Name) and held.id in names)
    return key if known else None
