"""How a folder is named as ``"package:folder"``, and what its branch may be called."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corehost.core.namespace import schema_problem
from corehost.core.spec import name_problem
from corehost.discovery.locate import extends_its_path
from corehost.doctor.subject import is_importable, project
from corehost.doctor.walk import archive_of, is_package

_USUAL = frozenset(
    ("alembic", "alembic_migrations", "db", "database", "migration", "migrations", "src", "versions")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A folder inside a package."""

    root: Path
    """The folder that the package is imported from."""
    package: str
    """The package's name; dotted below a namespace package."""
    folder: str
    """The folder inside it; empty for the package's own."""

    def __str__(self) -> str:
        return f"{self.package}:{self.folder}" if self.folder else self.package

    @property
    def importable(self) -> bool:
        """Whether the package is found here."""
        return is_importable(self.root, self.package)


def locate_in(folder: str, roots: Sequence[Path]) -> Location:
    """The package around a folder that was found below one of the roots."""
    path = Path(folder)
    chain = [place for place in (path, *path.parents) if is_package(place)]
    first = chain[0] if chain else path
    while is_package(first.parent):
        first = first.parent
    if len(chain) > 1 and extends_its_path(first):
        first = next((place for place in reversed(chain) if not extends_its_path(place)), first)
    root = _root(first, roots)
    inside = first.relative_to(root).parts
    if first == path and len(inside) > 1:
        return Location(root=root, package=".".join(inside[:-1]), folder=inside[-1])
    folder = "" if first == path else path.relative_to(first).as_posix()
    return Location(root=root, package=".".join(inside), folder=folder)


def named(locations: Sequence[Location]) -> str | tuple[str, ...]:
    """What a mount's ``migrations`` says of a tree's folders."""
    texts = tuple(map(str, locations))
    return texts if len(texts) > 1 else texts[0]


def _root(first: Path, roots: Sequence[Path]) -> Path:
    """The folder that the outermost package is imported from: above namespace packages."""
    if (archive := archive_of(first)) is not None:
        return archive
    for place in first.parents:
        if all(part.isidentifier() for part in first.relative_to(place).parts) and any(
            place.glob("*.dist-info")
        ):
            return place
    here = Path.cwd().resolve()
    for place in first.parents:
        if str(place) in sys.path and place != here:
            return place
    for place in first.parents:
        about = project(place)
        inside = first.relative_to(place).parts
        if inside[0] == "src" and len(inside) > 1 and (about or (place / "setup.py").exists()):
            return place / "src"
        name = re.sub(r"[-.]", "_", str(about.get("distribution") or ""))
        if about and len(inside) > 1 and name == "_".join(inside):
            return place
    return first.parent


def branch_names(locations: Sequence[Location]) -> list[str]:
    """A name for each tree's branch: the package's, with what tells several in one package apart."""
    bases = [usable_name(location.package) for location in locations]
    names = list(bases)
    for index, base in enumerate(bases):
        sharing = [other for other in range(len(bases)) if bases[other] == base]
        if len(sharing) > 1:
            parts = [part for part in locations[index].folder.split("/") if part not in _USUAL]
            common = set.intersection(*({*locations[other].folder.split("/")} for other in sharing))
            telling = [part for part in parts if part not in common]
            names[index] = usable_name("_".join([base, *telling]))
    for index, name in enumerate(names):
        number = names[:index].count(name)
        if number:
            names[index] = f"{name[:36]}_{number + 1}"
    return names


def usable_name(text: str) -> str:
    """The nearest name that a branch, and its schema, may have."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].rstrip("_")
    if name_problem(name) or schema_problem(name):
        name = f"db_{name}"[:40].rstrip("_")
    return name if not name_problem(name) else "db"
