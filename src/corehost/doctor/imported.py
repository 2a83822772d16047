"""What revision files import, and whether it is there: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from corehost.doctor.model import Finding
from corehost.doctor.subject import is_there, places_of
from corehost.doctor.syntax import imports, nodes


def findings(
    modules: Mapping[str, ast.Module], root: Path, package: str, importable: bool
) -> Iterator[Finding]:
    """Missing modules, and the application's own; ``importable``: whether the package is installed here."""
    own = package.partition(".")[0]
    seen: set[tuple[str, bool]] = set()
    for path, module in modules.items():
        for name, line in imports(module, list(nodes(module))):
            top = name.partition(".")[0]
            if top == own or (root / top).is_dir() or (root / f"{top}.py").is_file():
                if (name, True) not in seen:
                    message = f"it imports {name} of the application, with all that this imports"
                    yield Finding(
                        severity="info", code="application-import", message=message, file=path, line=line
                    )
                seen.add((name, True))
            elif not is_there(top):
                if (top, False) not in seen:
                    message = f"it imports {top}, which cannot be found here: install it"
                    yield Finding(
                        severity="error" if importable else "warning",
                        code="missing-import",
                        message=message,
                        file=path,
                        line=line,
                    )
                seen.add((top, False))


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
