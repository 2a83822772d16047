"""The header of a revision file: read by pattern, else from its syntax tree, else by executing it."""

from __future__ import annotations

import ast
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from corehost.alembic.literals import module_literals, parse
from corehost.alembic.pattern import NAMES, Header, first_line, scan
from corehost.core.branch import Branch
from corehost.core.errors import RevisionFileError, Where

_log: Final = logging.getLogger("corehost.alembic")


def read_header(path: str, branch: Branch) -> Header:
    """The header of the revision file at ``path``, which is only executed where it is not literal.

    Raises RevisionFileError with the branch, its distribution, the file and the reason.
    """
    if path.endswith(".pyc"):
        return executed_header(path, branch.origin.where(branch=branch.name, file=path))
    try:
        with open(path, "rb", buffering=0) as file:
            source = file.read()
    except OSError as error:
        raise unreadable(error, branch.origin.where(branch=branch.name, file=path)) from None
    if (header := scan(source)) is not None:
        return header
    where = branch.origin.where(branch=branch.name, file=path)
    return parsed_header(source, where) or executed_header(path, where)


def unreadable(error: OSError, where: Where) -> RevisionFileError:
    """The RevisionFileError for a file or folder that cannot be read."""
    return RevisionFileError(
        f"a revision file or its folder cannot be read: {error.strerror or error}",
        where=where,
        hint="see that it exists and that this user may read it",
    )


def parsed_header(source: bytes, where: Where) -> Header | None:
    """The header as the syntax tree tells it; None where it is computed."""
    tree = parse(source, where)
    values = module_literals(tree, NAMES)
    return None if values is None else _header(values, ast.get_docstring(tree, clean=False) or "", where)


def executed_header(path: str, where: Where) -> Header:
    """The header as the executed module has it, which imports Alembic and whatever the file imports."""
    _log.debug("executing %s for its header, which is not literal", path)
    values, docstring = execute(path, NAMES, where)
    return _header(values, docstring, where)


def execute(path: str, names: Iterable[str], where: Where) -> tuple[dict[str, object], str]:
    """Those attributes of the executed module that it has, and its docstring; raises RevisionFileError."""
    from alembic.util import load_python_file  # half a second, and seldom needed

    file = Path(path)
    try:
        module = load_python_file(file.parent, file.name)
        values = {name: getattr(module, name) for name in names if hasattr(module, name)}
    except (Exception, SystemExit) as error:
        raise RevisionFileError(
            f"the revision file cannot be imported: {type(error).__name__}: {error}",
            where=where,
            hint=f"write {', '.join(names)} as literals, or make what the file imports importable",
        ) from error
    return values, module.__doc__ if isinstance(module.__doc__, str) else ""


def _header(values: Mapping[str, object], docstring: str, where: Where) -> Header:
    revision = values.get("revision")
    if "revision" in values and not isinstance(revision, str):
        raise RevisionFileError(
            f"revision is {revision!r}, not a str", where=where, hint="write the revision id in quotes"
        )
    return Header(
        revision if isinstance(revision, str) else None,
        _texts("down_revision", values, where) if "down_revision" in values else None,
        _texts("depends_on", values, where),
        _texts("branch_labels", values, where),
        first_line(docstring),
    )


def _texts(name: str, values: Mapping[str, object], where: Where) -> tuple[str, ...]:
    value = values.get(name)
    if value is None or value == (None,) or value == [None]:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Collection) and not isinstance(value, bytes):
        texts = tuple(value)
        if all(isinstance(text, str) for text in texts):
            # A set has another order in every process.
            return tuple(sorted(texts)) if isinstance(value, set | frozenset) else texts
    raise RevisionFileError(
        f"{name} is {value!r}, neither None nor a str nor a tuple of str",
        where=where,
        hint="write the ids in quotes",
    )
