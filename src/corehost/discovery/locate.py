"""Finds the folder that ``"package:folder"`` names, without importing the package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from corehost.core.errors import PluginError, did_you_mean
from corehost.discovery.guard import guarded
from corehost.discovery.zipped import unzipped


def locate(location: str) -> Path:
    """The absolute path of the folder that ``"package:folder"`` names.

    ``package`` may be dotted, a namespace package or an editable install; ``folder`` may lie deep, or be
    left out. Of a package in several places, the first that has the folder counts; from a zip file it is
    taken out, for as long as this process lives. Raises PluginError that says which part is missing.
    """
    package, _, folder = location.partition(":")
    if folder.startswith("/"):
        raise PluginError(f"{location!r} names a folder that is not inside its package")
    search = _search_path(package)
    places = _folders(search)
    for place in places:
        if (path := place / folder).is_dir():
            return path
    for name in search:
        if (found := _from_zip(name, folder)) is not None:
            return found
    raise PluginError(
        f"the folder {folder!r} of {location!r} is not there; looked in {', '.join(search)}",
        hint=_closest(folder, places),
    )


def revision_folders(script_location: Path) -> tuple[Path, ...]:
    """The folders that hold the revision files: ``versions/`` where there is one, else the folder itself."""
    versions = script_location / "versions"
    return (versions if versions.is_dir() else script_location,)


def _from_zip(place: str, folder: str) -> Path | None:
    try:
        return unzipped(place, folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise PluginError(f"the zip file of {place} cannot be read: {error}") from error


def _search_path(package: str) -> list[str]:
    """The package's ``__path__``, which may hold more than folders."""
    top, *inner = package.split(".")
    path, name = _top_level(top), top
    for part in inner:
        parent, name = name, f"{name}.{part}"
        found = _inside(path, part) or _from_finders(name, path) or _from_legacy(parent, part, path)
        if not found:
            raise PluginError(f"there is no package {name!r}", hint=_closest(part, _folders(path)))
        path = found
    return path


def _top_level(name: str) -> list[str]:
    if (module := sys.modules.get(name)) is not None:  # find_spec trusts its __spec__, which may be None
        found: Iterable[str] | None = getattr(module, "__path__", None)
    else:
        spec = guarded(lambda: importlib.util.find_spec(name), f"the package {name!r} cannot be looked up")
        if spec is None:
            raise PluginError(f"the package {name!r} is not installed")
        found = spec.submodule_search_locations
    if found is None:
        raise PluginError(f"{name!r} is a module, not a package, and has no folders")
    return list(found)


def _inside(path: Iterable[str], part: str) -> list[str]:
    inner = [place / part for place in _folders(path) if (place / part).is_dir()]
    packages = [folder for folder in inner if (folder / "__init__.py").is_file()]
    return [str(folder) for folder in packages[:1] or inner]


def _from_finders(name: str, path: list[str]) -> list[str]:
    """What an import hook knows, as of an editable install that maps a package to another folder."""
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path, None)
        except (AttributeError, ImportError, KeyError, ValueError):  # finders that want the parent imported
            continue
        if spec is not None and spec.submodule_search_locations is not None:
            return list(spec.submodule_search_locations)
    return []


def _from_legacy(parent: str, part: str, path: Iterable[str]) -> list[str]:
    """An old namespace package knows all its places only once it is imported."""
    if not any(extends_its_path(place) for place in _folders(path)):
        return []
    failure = f"the namespace package {parent!r} does not import"
    module = guarded(lambda: importlib.import_module(parent), failure)
    return _inside(getattr(module, "__path__", ()), part)


def extends_its_path(place: Path) -> bool:
    """Whether a package's folder is one of several, as old namespace packages say it in their code."""
    try:
        source = (place / "__init__.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "extend_path" in source or "declare_namespace" in source


def _folders(names: Iterable[str]) -> list[Path]:
    paths = dict.fromkeys(Path(name).absolute() for name in names)
    return [path for path in paths if path.is_dir()]


def _closest(folder: str, places: Iterable[Path]) -> str | None:
    outer, _, last = folder.rpartition("/")
    parents = [place / outer for place in places if (place / outer).is_dir()]
    return did_you_mean(last, sorted({child.name for parent in parents for child in parent.iterdir()}))
