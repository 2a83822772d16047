"""Revision files as code objects: compiled without being run, or shipped without their source."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from os import PathLike, fspath
from os.path import basename
from types import CodeType

from corehost.alembic.headers import unreadable
from corehost.alembic.literals import not_python
from corehost.core.errors import RevisionFileError, Where


def compile_file(path: str | PathLike[str]) -> CodeType:
    """Compile a revision file without running it, through the cache that executing it uses.

    Raises RevisionFileError with line and text where it is not Python, or cannot be read.
    """
    file = fspath(path)
    name = re.sub(r"\W", "_", basename(file))  # as Alembic names the module
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


@dataclass(kw_only=True)
class CodeReached:
    """What the code objects that ``upgrade`` reaches mention."""

    names: set[str] = field(default_factory=set)
    """Every name and attribute, keyword arguments included."""
    texts: list[str] = field(default_factory=list)
    """Every literal text."""


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
