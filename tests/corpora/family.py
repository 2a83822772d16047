"""A family of packages whose migrations one host runs, as its file in ``families`` declares it.

``alone``: packages, pinned, that are installed without their dependencies; ``with_dependencies``: those that
need them; ``beside``: what the revision files import besides. ``[corehost]`` is the host's ``corehost.toml``;
``added`` says in words what it had to add. ``[stock]`` is what Alembic alone has to be told: with
``graph = "one"`` all branches are in one graph, ``targets`` are upgraded to one after the other, ``context``
names a context manager to run in. ``fails`` says why a family is not expected to run, on the PostgreSQL
versions of ``fails_on`` where they are named; ``differs`` why its schema is not expected to be the same.
``includes`` names families that this one hosts in one database.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
FAMILIES = HERE / "families"
HOSTS = HERE / "hosts"
"""Modules that a host has to write: for ``PYTHONPATH``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What is installed together and migrated in one pass."""

    name: str
    alone: tuple[str, ...] = ()
    with_dependencies: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    added: str = ""
    fails: str = ""
    fails_on: tuple[str, ...] = ()
    differs: str = ""
    parts: tuple[Mapping[str, Any], ...] = field(default=())
    """``{"corehost": …, "stock": …}`` of this family, or of each that it includes."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The host's corehost.toml."""

    @classmethod
    def read(cls, name: str) -> Self:
        """The family of that name."""
        said = tomllib.loads((FAMILIES / f"{name}.toml").read_text())
        included = [cls.read(other) for other in said.pop("includes", ())]
        settings = said.pop("corehost", {})
        parts = [part for family in included for part in family.parts]
        if settings:
            parts.append({"corehost": settings, "stock": said.pop("stock", {})})
        for family in included:
            settings = _merged(settings, family.settings)
        lists = {
            key: tuple(dict.fromkeys([*said.pop(key, ()), *(x for f in included for x in getattr(f, key))]))
            for key in ("alone", "with_dependencies", "beside")
        }
        fails_on = tuple(said.pop("fails_on", ()))
        return cls(name=name, settings=settings, parts=tuple(parts), fails_on=fails_on, **lists, **said)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose migrations are run, with their versions."""
        return tuple(sorted((*self.alone, *self.with_dependencies)))

    @property
    def definition(self) -> str:
        """Another one where what is installed or configured is another."""
        said = [self.alone, self.with_dependencies, self.beside, self.parts]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def toml(self) -> str:
        """The text of the host's corehost.toml."""
        return "".join(f"{key} = {_as_toml(value)}\n" for key, value in self.settings.items())


def names() -> list[str]:
    """The families that there are."""
    return sorted(path.stem for path in FAMILIES.glob("*.toml"))


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return other


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return json.dumps(value)  # texts, numbers and flags are written alike
