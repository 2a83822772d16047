"""Reads one revision file: its header, its syntax tree, and what is wrong with it by itself."""

from __future__ import annotations

import ast
import dis
import os
import warnings
from dataclasses import dataclass

from corehost.alembic.compiled import compile_file
from corehost.alembic.headers import executed_header, parsed_header
from corehost.alembic.literals import module_literals, not_python, parse
from corehost.alembic.pattern import NAMES, Header, scan
from corehost.core.errors import CorehostError, RevisionFileError, Where
from corehost.doctor.model import Finding
from corehost.doctor.walk import read_file


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionFile:
    """A file that corehost would read as a revision."""

    path: str
    """The file."""
    header: Header | None
    """Its header; None where it cannot be told."""
    module: ast.Module | None
    """Its syntax tree; None without source, or where it does not compile."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it by itself."""


def read(path: str, *, execute: bool = True) -> RevisionFile:
    """Read a file; it is executed only where its header is not literal, and never without ``execute``."""
    try:
        if path.endswith(".pyc"):
            return _read_compiled(path, execute)
        source = read_file(path)
    except (CorehostError, OSError) as error:
        return _unusable(path, "unreadable", str(getattr(error, "message", error)))
    where = Where(file=path)
    try:
        module = parse(source, where)
        _compile(module, where)
    except RevisionFileError as error:
        return RevisionFile(
            path=path,
            header=scan(source),
            module=None,
            findings=(_error(path, "does-not-compile", error.message),),
        )
    try:
        header = scan(source) or parsed_header(source, where)
    except RevisionFileError as error:
        return RevisionFile(
            path=path,
            header=None,
            module=module,
            findings=(_error(path, "wrong-header", error.message),),
        )
    if header is not None:
        return RevisionFile(path=path, header=header, module=module)
    if not execute:
        return RevisionFile(path=path, header=_partial(module), module=module)
    return _executed(path, module)


def _executed(path: str, module: ast.Module | None) -> RevisionFile:
    note = Finding(
        severity="warning",
        code="header-not-literal",
        message="the header is not literal: the file is executed whenever the headers are read",
        file=path,
    )
    try:
        header = executed_header(path, Where(file=path))
    except RevisionFileError as error:
        failure = _error(path, "header-fails", f"the header is not literal, and {error.message}")
        return RevisionFile(
            path=path,
            header=None if module is None else _partial(module),
            module=module,
            findings=(note, failure),
        )
    return RevisionFile(path=path, header=header, module=module, findings=(note,))


def _partial(module: ast.Module) -> Header | None:
    """Those parts of a header that are literal, where id and parents are among them."""
    values = {name: (module_literals(module, [name]) or {}).get(name) for name in NAMES}
    revision, parents = values["revision"], values["down_revision"]
    if not isinstance(revision, str):
        return None
    down = (parents,) if isinstance(parents, str) else parents if isinstance(parents, tuple) else ()
    return Header(revision, down, (), (), "")


def _compile(module: ast.Module, where: Where) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(module, where.file or "", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise not_python(error, where) from None


def _read_compiled(path: str, execute: bool) -> RevisionFile:
    code = compile_file(path)
    note = Finding(
        severity="info",
        code="sourceless",
        message="only the compiled file is there, for one version of Python; what it does is not looked into",
        file=path,
    )
    values: dict[str, object] = {}
    unsure = False
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_NAME" and instruction.argval in NAMES:
            literal = before is not None and before.opname == "LOAD_CONST"
            unsure |= not literal or instruction.argval in values
            values[instruction.argval] = before.argval if before is not None else None
        before = instruction
    if unsure or not isinstance(values.get("revision"), str):
        return _executed(path, None) if execute else RevisionFile(path=path, header=None, module=None)
    texts = {name: _as_texts(value) for name, value in values.items()}
    header = Header(
        str(values["revision"]),
        texts.get("down_revision"),
        texts.get("depends_on", ()),
        texts.get("branch_labels", ()),
        "",
    )
    return RevisionFile(path=path, header=header, module=None, findings=(note,))


def _as_texts(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(item for item in value if isinstance(item, str))
    return (value,) if isinstance(value, str) else ()


def _unusable(path: str, code: str, message: str) -> RevisionFile:
    return RevisionFile(path=path, header=None, module=None, findings=(_error(path, code, message),))


def _error(path: str, code: str, message: str) -> Finding:
    message = message.replace(f"{os.path.dirname(path)}/", "")
    return Finding(severity="error", code=code, message=message, file=path)
