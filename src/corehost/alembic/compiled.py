"""Revision files as code objects: compiled without being run, or shipped without their source."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from opcode import opmap
from os import PathLike, fspath
from os.path import basename
from types import CodeType
from typing import Final

from corehost.alembic.headers import unreadable
from corehost.alembic.literals import not_python
from corehost.core.errors import RevisionFileError, Where

_LOAD_NAME: Final = opmap["LOAD_NAME"]
_IMPORT_NAME: Final = opmap["IMPORT_NAME"]
_DYNAMIC: Final = frozenset(("import_module", "__import__"))
# Part of any name or text that source.py minds.
_UNUSUAL: Final = re.compile(
    r"drop|delete|truncate|alter|commit|concurrently|rollback|abort|prepare|vacuum|reindex|\bend\b"
    r"|database|tablespace|system",
    re.IGNORECASE,
)


def compile_file(path: str | PathLike[str]) -> CodeType:
    """Compile a revision file without running it, through the cache that executing it uses.

    Raises RevisionFileError with line and text where it is not Python, or cannot be read.
    """
    file = fspath(path)
    name = module_name(file)
    loader = SourcelessFileLoader(name, file) if file.endswith(".pyc") else SourceFileLoader(name, file)
    where = Where(file=file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's package
            code = loader.get_code(name)
    except OSError as error:
        raise unreadable(error, where) from None
    except (ImportError, EOFError, TypeError) as error:
        raise RevisionFileError(
            f"the compiled revision file cannot be used: {error}",
            where=where,
            hint="ship the source, or compile it with this Python",
        ) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise not_python(error, where) from None
    assert code is not None  # of a loader that has a file
    return code


def module_name(path: str) -> str:
    """What Alembic calls the module of a revision file."""
    return re.sub(r"\W", "_", basename(path))


def mentions(code: CodeType, names: Set[str]) -> bool:
    """Whether a name or attribute of these is used, in a function or outside."""
    return not names.isdisjoint(code.co_names) or any(mentions(inner, names) for inner in _inner(code))


def imports_only(code: CodeType, packages: Set[str]) -> bool:
    """Whether whatever is imported, in a function or outside, is certainly of these packages."""
    return (
        not mentions(code, _DYNAMIC)
        and len(code.co_names) <= 256
        and packages >= {name.partition(".")[0] for name in _operands(code, _IMPORT_NAME)}
        and all(imports_only(inner, packages) for inner in _inner(code))
    )


@dataclass(kw_only=True)
class CodeReached:
    """What the code objects that ``upgrade`` reaches mention."""

    names: set[str] = field(default_factory=set)
    """Every name and attribute, keyword arguments included."""
    texts: list[str] = field(default_factory=list)
    """Every literal text."""


def is_plain(module: CodeType, names: Collection[str]) -> bool:
    """Whether a revision certainly destroys nothing, ends no transaction and mentions none of the names.

    So it is where no name and no text of it but those of ``downgrade`` has a word that could do so. Most
    revisions are, and need not be parsed.
    """
    stack, parts = [module], list[str]()
    while stack:
        code = stack.pop()
        parts += code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                if code is not module or constant.co_name != "downgrade":
                    stack.append(constant)
                    if "downgrade" in constant.co_names:
                        return False
            elif isinstance(constant, str):
                parts.append(constant)
            elif isinstance(constant, tuple | frozenset):
                parts += [item for item in constant if isinstance(item, str)]
    return (
        not _is_read(module, "downgrade")
        and set(names).isdisjoint(parts)
        and _UNUSUAL.search("\n".join(parts)) is None
    )


def _is_read(module: CodeType, name: str) -> bool:
    """Whether the outermost level may read a name, such as for an alias."""
    if name not in module.co_names:
        return False
    return module.co_names.index(name) > 255 or name in _operands(module, _LOAD_NAME)


def _operands(code: CodeType, operation: int) -> Iterator[str]:
    """The names that one level's operations of a kind are about, of its first 256.

    What lies between the instructions may look like one: too much rather than too little.
    """
    raw, names = code.co_code, code.co_names
    return (
        names[raw[at + 1]]
        for at in range(0, len(raw), 2)
        if raw[at] == operation and raw[at + 1] < len(names)
    )


def reach_code(module: CodeType, start: str = "upgrade") -> CodeReached:
    """Follow a module's function, and whatever of the module's functions it mentions, by name."""
    functions = {code.co_name: code for code in _inner(module)}
    found = CodeReached()
    stack = [functions[start]] if start in functions else []
    seen = set(stack)
    while stack:
        code = stack.pop()
        found.names.update(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, str):
                found.texts.append(constant)
            elif isinstance(constant, tuple):
                found.names.update(item for item in constant if isinstance(item, str))
        mentioned = [functions[name] for name in code.co_names if name in functions]
        fresh = [other for other in (*mentioned, *_inner(code)) if other not in seen]
        seen.update(fresh)
        stack += fresh
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))
