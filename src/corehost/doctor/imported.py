"""What revision files import, and whether it is there: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from corehost.doctor.model import Finding
from corehost.doctor.subject import is_there, places_of
from corehost.doctor.syntax import imports, nodes

_SHOWN: Final = 5


def findings(
    modules: Mapping[str, ast.Module], root: Path, package: str, importable: bool
) -> Iterator[Finding]:
    """Missing modules, and the application's own; ``importable``: whether the package is installed here."""
    own = package.partition(".")[0]
    shared = any(root.glob("*.dist-info"))  # other packages lie beside it
    seen: set[str] = set()
    there = cache(is_there)
    application: dict[str, tuple[str, int]] = {}
    for path, module in modules.items():
        for name, line in imports(module, list(nodes(module))):
            top = name.partition(".")[0]
            if top == own or (not shared and is_in(root, top)):
                application.setdefault(name, (path, line))
            elif not there(top):
                if top not in seen:
                    message = f"it imports {top}, which cannot be found here: install it"
                    yield Finding(
                        severity="error" if importable else "warning",
                        code="missing-import",
                        message=message,
                        file=path,
                        line=line,
                    )
                seen.add(top)
    if application:
        names = ", ".join(sorted(application)[:_SHOWN])
        more = f" and {len(application) - _SHOWN} more" if len(application) > _SHOWN else ""
        path, line = next(iter(application.values()))
        message = f"it imports modules of the application, with all that these import: {names}{more}"
        yield Finding(severity="info", code="application-import", message=message, file=path, line=line)


def is_in(root: Path, module: str) -> bool:
    """Whether a folder holds a top-level module."""
    return (root / module).is_dir() or (root / f"{module}.py").is_file()


def module_text(root: Path) -> Callable[[str], str | None]:
    """Reads a module's source, below the root or where its top-level package is found."""

    def text(name: str) -> str | None:
        top, *rest = name.split(".")
        for place in (root / top, *places_of(top)):
            path = place.joinpath(*rest)
            for file in (path.with_suffix(".py"), path / "__init__.py"):
                try:
                    return file.read_text(encoding="utf-8", errors="replace")
                except OSError:
                    continue
        return None

    return text
