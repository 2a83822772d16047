"""What a plugin says of itself, validated the moment it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields

from corehost.core.errors import PluginError, Where
from corehost.core.namespace import CORE, LEDGER, schema_problem
from corehost.core.requirement import Requirement

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LOCATION = re.compile(r"[A-Za-z_][\w.]*(:[^:]*)?")
_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_TUPLES = ("requires", "after", "extensions", "preload")


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginSpec:
    """What a plugin is: returned by its ``corehost_register_plugin`` hook, the same everywhere.

    Raises :class:`~corehost.PluginError`, naming every wrong field, when one is wrong.
    """

    name: str
    """``[a-z][a-z0-9_]{0,39}``; also the branch, and the name of the entry point."""
    schema: str = ""
    """The PostgreSQL schema of its tables and its version table; by default the name."""
    migrations: str | tuple[str, ...] | None = None
    """``"package:folder"``, the folder that holds ``versions/`` or the revision files; or several of them."""
    requires: tuple[str, ...] = ()
    """Plugins that must be installed and come first: ``"accounts"``, ``"accounts>=1.2,<3"``."""
    after: tuple[str, ...] = ()
    """Plugins that come first where they are installed."""
    metadata: str | None = None
    """``"module:attribute"`` of a SQLAlchemy MetaData; imported only when a step needs it."""
    target: str = "heads"
    """The Alembic target of the branch."""
    extensions: tuple[str, ...] = ()
    """PostgreSQL extensions made sure of before the branch's first step."""
    version_table: str | None = None
    """The version table's name; by default derived from name and schema."""
    recursive: bool = False
    """Whether revision files lie in nested folders."""
    preload: tuple[str, ...] = field(default=())
    """Modules imported before the branch's first step."""

    def __post_init__(self) -> None:
        for name in (*_TUPLES, "migrations"):
            if isinstance(value := getattr(self, name), list):
                object.__setattr__(self, name, tuple(value))
        if not self.schema:
            object.__setattr__(self, "schema", self.name)
        if problems := list(_problems(self)):
            name = self.name if isinstance(self.name, str) else None
            raise PluginError(
                f"the plugin's PluginSpec is wrong: {'; '.join(problems)}", where=Where(branch=name)
            )

    @property
    def places(self) -> tuple[str, ...]:
        """The folders that ``migrations`` names."""
        return (self.migrations,) if isinstance(self.migrations, str) else self.migrations or ()


def name_problem(name: object) -> str | None:
    """Why a plugin's or mount's name is refused, or None where it may be used."""
    if not isinstance(name, str):
        return f"name is a {type(name).__name__}, not a str"
    if name in (CORE, LEDGER):
        return f"name {name!r} is reserved"
    if not NAME.fullmatch(name):
        return f"name {name!r} does not match {NAME.pattern}"
    return None


def _problems(spec: PluginSpec) -> list[str]:
    problems = _type_problems(spec)
    if problems:
        return problems
    if problem := name_problem(spec.name) or schema_problem(spec.schema):
        problems.append(problem)
    problems += [
        f"migrations {place!r} is not 'package:folder'"
        for place in spec.places
        if not _LOCATION.fullmatch(place)
    ]
    if spec.migrations == ():
        problems.append("migrations names no folder")
    if spec.metadata is not None and not _ATTRIBUTE.fullmatch(spec.metadata):
        problems.append(f"metadata {spec.metadata!r} is not 'module:attribute'")
    if not spec.target:
        problems.append("target is empty")
    if spec.version_table is not None and not 0 < len(spec.version_table.encode()) <= 63:
        problems.append(f"version_table {spec.version_table!r} is not a table's name")
    for requirement in spec.requires:
        try:
            Requirement.parse(requirement)
        except ValueError as error:
            problems.append(f"requires {requirement!r}: {error}")
    problems += [f"after {name!r} is not a plugin's name" for name in spec.after if not NAME.fullmatch(name)]
    return problems


def _type_problems(spec: PluginSpec) -> list[str]:
    problems = []
    for item in fields(spec):
        value = getattr(spec, item.name)
        if item.name in _TUPLES or (item.name == "migrations" and isinstance(value, tuple)):
            if isinstance(value, str):
                problems.append(f"{item.name} is a str; write ({value!r},)")
            elif not isinstance(value, tuple) or not all(isinstance(v, str) for v in value):
                problems.append(f"{item.name} is not a tuple of str")
        elif item.name == "recursive":
            if not isinstance(value, bool):
                problems.append("recursive is not a bool")
        elif not isinstance(value, str) and not (value is None and item.default is None):
            problems.append(f"{item.name} is a {type(value).__name__}, not a str")
    return problems
