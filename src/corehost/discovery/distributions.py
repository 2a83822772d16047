"""Installed distributions, whatever state their metadata is in."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from corehost.core.branch import Origin

_LOG: Final = logging.getLogger("corehost")


class InstalledDistribution(Protocol):
    """What is used of importlib-metadata's distributions, which different versions type differently."""

    @property
    def entry_points(self) -> Any:
        """All its entry points."""

    def read_text(self, filename: str) -> str | None:
        """One of its metadata files; None where there is none."""

    def locate_file(self, path: str) -> Any:
        """Where one of its files is."""


def visible(distributions: Iterable[InstalledDistribution]) -> tuple[InstalledDistribution, ...]:
    """Each distribution once: of several with one name the one that is imported, the first on the path.

    A folder without metadata hides none that has it. What pip left behind from an interrupted uninstall
    (a name that begins with ``~``) counts for nothing.
    """
    by_name: dict[str, list[InstalledDistribution]] = {}
    for dist in distributions:
        name = _folder_name(dist)
        if not name.startswith("~"):
            by_name.setdefault(_normalised(name), []).append(dist)
    return tuple(_first(group) for group in by_name.values())


def metadata_path(dist: InstalledDistribution) -> Path | None:
    """Its dist-info or egg-info, where it is one on disk or in a zip file."""
    path: Path | None = getattr(dist, "_path", None)
    return path


def unreadable(dist: InstalledDistribution, error: Exception, *, what: str) -> None:
    """Log that a part of its metadata cannot be read."""
    _LOG.warning(
        "%s of %s cannot be read: %s: %s",
        what,
        metadata_path(dist) or dist,
        type(error).__name__,
        error,
        extra={"event": "discovery.unreadable_distribution"},
    )


def origin_of(dist: InstalledDistribution) -> Origin:
    """Its name and version, from its metadata; where that is broken, from the name of its folder."""
    try:
        header = _header(dist)
    except Exception as error:  # garbage raises whatever its reading stumbles over
        unreadable(dist, error, what="the metadata")
        header = {}
    name, _, rest = _stem(dist).partition("-")
    return Origin(
        distribution=header.get("name") or name or None,
        version=header.get("version") or rest.partition("-")[0] or None,
    )


def owner_of(folder: Path, distributions: Iterable[InstalledDistribution]) -> Origin:
    """The distribution that ships a folder; an empty Origin where none does."""
    folder = folder.resolve()
    by_root: dict[str, list[InstalledDistribution]] = {}
    for dist in distributions:
        by_root.setdefault(str(dist.locate_file("")), []).append(dist)
    for root, group in by_root.items():
        resolved = Path(root).resolve()
        if folder != resolved and folder.is_relative_to(resolved):
            inside = folder.relative_to(resolved)
            # the one that is named like the folder is most likely the owner: ask it first
            group.sort(key=lambda dist: _normalised(_folder_name(dist)) != _normalised(inside.parts[0]))
            for dist in group:
                if _ships(dist, inside):
                    return origin_of(dist)
    projects = (
        (project, dist) for group in by_root.values() for dist in group for project in _editable(dist)
    )
    around = [(len(project.parts), dist) for project, dist in projects if folder.is_relative_to(project)]
    return origin_of(max(around, key=lambda found: found[0])[1]) if around else Origin()


def _ships(dist: InstalledDistribution, inside: Path) -> bool:
    try:
        if record := dist.read_text("RECORD"):
            prefix = f"{inside.as_posix()}/"
            return record.startswith(prefix) or f"\n{prefix}" in record
        return inside.parts[0] in (dist.read_text("top_level.txt") or "").split()
    except (OSError, ValueError):
        return False


def _editable(dist: InstalledDistribution) -> Iterator[Path]:
    """The project folder of an editable install."""
    try:
        about = json.loads(dist.read_text("direct_url.json") or "{}")
        url = urlsplit(about["url"]) if about.get("dir_info", {}).get("editable") else None
    except (OSError, ValueError, KeyError, AttributeError):
        return
    if url is not None and url.scheme == "file":
        yield Path(unquote(url.path)).resolve()


def _first(group: list[InstalledDistribution]) -> InstalledDistribution:
    if len(group) == 1:
        return group[0]
    group = [dist for dist in group if _has_metadata(dist)] or group
    root = str(group[0].locate_file(""))
    # Within one folder the order is that of the file system, which differs from machine to machine.
    return max((dist for dist in group if str(dist.locate_file("")) == root), key=_precedence)


def _precedence(dist: InstalledDistribution) -> tuple[bool, Any, str]:
    from packaging.version import InvalidVersion, Version

    path, name = metadata_path(dist), _stem(dist)
    try:
        version = Version(origin_of(dist).version or "0")
    except InvalidVersion:
        version = Version("0")
    return (path is not None and path.name.endswith(".dist-info"), version, name)


def _has_metadata(dist: InstalledDistribution) -> bool:
    path = metadata_path(dist)
    return path is None or path.is_file() or any((path / name).exists() for name in ("METADATA", "PKG-INFO"))


def _folder_name(dist: InstalledDistribution) -> str:
    """The distribution's name, from its metadata folder where it can: reading all metadata takes long."""
    return _stem(dist).partition("-")[0] or origin_of(dist).distribution or ""


def _stem(dist: InstalledDistribution) -> str:
    path = metadata_path(dist)
    stem, _, suffix = path.name.rpartition(".") if path is not None else ("", "", "")
    return stem if suffix in ("dist-info", "egg-info") else ""


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _header(dist: InstalledDistribution) -> Mapping[str, str]:
    text = dist.read_text("METADATA") or dist.read_text("PKG-INFO") or dist.read_text("")
    if not text:
        raise FileNotFoundError("there is no METADATA")
    # The header alone: to parse a long description as an e-mail would take longer than all the rest.
    lines = text.lstrip().partition("\n\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines if not line.startswith((" ", "\t")))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
