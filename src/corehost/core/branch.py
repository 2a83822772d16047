"""A branch as the rest of the house knows it: discovered, located, validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from corehost.core.errors import Where
from corehost.core.namespace import CORE, LEDGER, Namespace
from corehost.core.requirement import Requirement


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Which installed distribution something came from."""

    distribution: str | None = None
    """The distribution's name; None for what the host itself mounts without a package."""
    version: str | None = None
    """The distribution's version."""
    entry_point: str | None = None
    """The entry point as ``group: name = value``, or ``mounts.name`` of the configuration."""

    def where(self, *, branch: str | None = None, file: str | None = None) -> Where:
        """The same as the ``where`` of an error."""
        return Where(
            branch=branch,
            distribution=self.distribution,
            version=self.version,
            entry_point=self.entry_point,
            file=file,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """One plugin's, or the core's, Alembic lineage: the unit of version tracking."""

    name: str
    """The plugin's name."""
    namespace: Namespace
    """Schema and version table."""
    locations: tuple[Path, ...]
    """The folders that hold the revision files."""
    script_location: Path
    """The folder that the declaration names (what Alembic calls the script location)."""
    origin: Origin = Origin()
    """Where it was found."""
    requires: tuple[Requirement, ...] = ()
    """Branches that must be installed and come first."""
    after: tuple[str, ...] = ()
    """Branches that come first where they are installed."""
    target: str = "heads"
    """The Alembic target."""
    metadata: str | None = None
    """``"module:attribute"`` of a MetaData."""
    extensions: tuple[str, ...] = ()
    """PostgreSQL extensions that it needs."""
    recursive: bool = False
    """Whether revision files lie in nested folders."""
    preload: tuple[str, ...] = ()
    """Modules imported before its first step."""
    x_arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What ``context.get_x_argument()`` returns in its revisions."""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Alembic main options, and settings of the migration context, that its revisions read."""

    bootstrap: str | None = None
    """``"module:function"`` that makes the newest schema at once, where nothing is there yet."""

    @property
    def sourceless(self) -> bool:
        """Whether compiled files count as revision files wherever Python keeps them; Alembic's own option."""
        return self.options.get("sourceless", "").strip().lower() in ("true", "yes", "on", "y", "t", "1")

    @property
    def is_core(self) -> bool:
        """Whether this is the host application's own branch."""
        return self.name == CORE

    @property
    def is_ledger(self) -> bool:
        """Whether this is corehost's own branch."""
        return self.name == LEDGER
