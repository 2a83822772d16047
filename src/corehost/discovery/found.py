"""What discovery answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pluggy

from corehost.core.branch import Branch, Origin
from corehost.core.errors import PluginError
from corehost.core.results import Skipped
from corehost.core.spec import PluginSpec

if TYPE_CHECKING:
    from corehost.discovery.candidates import Candidate

Kind = Literal["plugin", "migrations", "mount", "core"]
FoundState = Literal["enabled", "disabled", "skipped", "wrong"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPlugin:
    """One thing that was found, whether it is of use or not."""

    name: str
    """The name that it claims."""
    kind: Kind
    """How it was declared: a hook, a bare entry point, the ``mounts`` setting, or the ``core`` setting."""
    origin: Origin
    """Where it was found."""
    spec: PluginSpec | None
    """What it says of itself; None where that could not be learnt, was not asked, or for the core."""
    state: FoundState
    """``wrong`` by itself, or ``skipped`` because something that it requires is left out."""
    problems: tuple[str, ...] = ()
    """Why its state is ``wrong`` or ``skipped``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """All that is installed and chosen, and all that is wrong with it."""

    branches: tuple[Branch, ...]
    """The branches to be migrated, sorted by name; without corehost's own."""
    found: tuple[FoundPlugin, ...]
    """Everything that was found, sorted by name."""
    skipped: tuple[Skipped, ...]
    """What is left out and why, sorted by name."""
    problems: tuple[PluginError, ...]
    """Everything that is wrong, in the order of the names."""
    order: tuple[str, ...]
    """The enabled plugins, with tables or without, each behind those that it requires or comes after."""
    manager: pluggy.PluginManager
    """The hooks: enabled plugins under their own names, the host's modules under ``host_modules``."""
    host_modules: tuple[str, ...]
    """The names under which ``manager`` knows the modules of the ``hooks`` setting."""
    candidates: tuple[Candidate, ...] = ()
    """The same things as ``found``, as they were weighed against each other."""
