"""Finds the package that was asked for: on disk, by its distribution's name, or by its import name."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from corehost.core.branch import Origin
from corehost.core.errors import PluginError
from corehost.discovery.distributions import origin_of, owner_of
from corehost.discovery.entry_points import Installed, installed
from corehost.discovery.locate import locate

_ARCHIVES = (".whl", ".zip", ".egg")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Where a package lies."""

    name: str
    """What was asked for."""
    origin: Origin
    """Its distribution, where it is known."""
    folders: tuple[Path, ...]
    """What to look through, with all that is inside; zip files too."""
    entry_points: tuple[Any, ...] = ()
    """What its distribution declares."""


def find(name: str) -> Iterator[Subject]:
    """Every meaning of what was asked for, the likeliest first; nothing where it means nothing."""
    path = Path(name)
    everything = installed(())
    if path.is_dir() or (path.is_file() and path.suffix in _ARCHIVES):
        path = path.resolve()
        yield _of_folder(name, path, everything)
    for dist in everything.distributions:
        origin = origin_of(dist)
        if origin.distribution is not None and _same(origin.distribution, name):
            yield Subject(
                name=name,
                origin=origin,
                folders=tuple(_shipped(dist)),
                entry_points=entry_points_of(dist),
            )
    if re.fullmatch(r"[A-Za-z_][\w.]*(:[^:]*)?", name):
        for place in _imported_from(name):
            yield _of_folder(name, place, everything)


def is_importable(root: Path, package: str) -> bool:
    """Whether the first part of a package's name is found in that folder here; nothing is imported."""
    top = package.partition(".")[0]
    return (root / top).resolve() in places_of(top)


def is_there(module: str) -> bool:
    """Whether a top-level module can be found here; nothing is imported."""
    return module in sys.builtin_module_names or module in sys.modules or _spec(module) is not None


def _spec(module: str) -> Any:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None


def places_of(top: str) -> tuple[Path, ...]:
    """The folders of a top-level package that is found here; nothing is imported."""
    spec = _spec(top)
    found = list(spec.submodule_search_locations or ()) if spec is not None else []
    return tuple(Path(place).resolve() for place in found)


def _imported_from(name: str) -> list[Path]:
    if "." not in name and ":" not in name:
        return list(places_of(name))
    try:
        return [locate(name)] if is_there(re.split(r"[.:]", name)[0]) else []
    except PluginError:
        return []


def _of_folder(name: str, folder: Path, everything: Installed) -> Subject:
    beside = list(_distributions_in(folder))
    if len(beside) == 1:  # the folder is one that a distribution was installed into
        dist = beside[0]
        return Subject(
            name=name, origin=origin_of(dist), folders=(folder,), entry_points=entry_points_of(dist)
        )
    origin = owner_of(folder, everything.distributions) or Origin()
    owners = [dist for dist in everything.distributions if origin_of(dist) == origin]
    if origin.distribution is None:
        origin = Origin(**project(folder))
    entries = tuple(entry for dist in owners[:1] for entry in entry_points_of(dist))
    return Subject(name=name, origin=origin, folders=(folder,), entry_points=entries)


def project(folder: Path) -> dict[str, Any]:
    """Name and version, as the pyproject.toml of a source tree says."""
    try:
        about = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return {}
    return {"distribution": about.get("name"), "version": about.get("version")}


def _distributions_in(folder: Path) -> Iterable[Any]:
    import importlib_metadata

    if not folder.is_dir() or not any(folder.glob("*.dist-info")):
        return []
    return importlib_metadata.distributions(path=[str(folder)])


def entry_points_of(dist: Any) -> tuple[Any, ...]:
    """A distribution's entry points; none where they cannot be read, which discovery is there to tell."""
    try:
        return tuple(dist.entry_points)
    except Exception:  # whatever its parser stumbles over
        return ()


def _shipped(dist: Any) -> Iterator[Path]:
    """The folders that a distribution ships modules in, without those inside them."""
    root = Path(str(dist.locate_file("")))
    names = (dist.read_text("RECORD") or "").splitlines()
    files = [line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in names]
    folders = {Path(file).parent for file in files if file.endswith((".py", ".pyc"))}
    tops = sorted(folder for folder in folders if folder.parts and folder.parts[0] != "..")
    if tops or not names:
        tops += [Path(top) for top in (dist.read_text("top_level.txt") or "").split()]
    outermost: list[Path] = []
    for folder in sorted(set(tops)):
        if not any(folder.is_relative_to(other) for other in outermost):
            outermost.append(folder)
    yield from (root / folder for folder in outermost)
    url = urlsplit(_direct_url(dist))
    if url.scheme == "file":
        yield Path(unquote(url.path)).resolve()


def _direct_url(dist: Any) -> str:
    try:
        about = json.loads(dist.read_text("direct_url.json") or "{}")
        return str(about["url"]) if about.get("dir_info", {}).get("editable") else ""
    except (OSError, ValueError, KeyError, AttributeError):
        return ""


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()
