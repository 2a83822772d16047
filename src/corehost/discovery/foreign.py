"""Finds the folders that an entry point of another ecosystem's group means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from importlib_metadata import EntryPoint

from corehost.core.errors import PluginError
from corehost.discovery.guard import guarded
from corehost.discovery.locate import locate


def declared_folders(entry_point: EntryPoint) -> tuple[Path, ...]:
    """The folders of ``package:folder``; as entry points are object references, ``package:outer.inner`` too.

    What is no folder is imported: a package, a path, a location, or a list of these. Raises PluginError where
    it is none of them.
    """
    try:
        return (_folder(entry_point.value),)
    except PluginError as error:
        value = guarded(entry_point.load, f"{error.message}; nor does it import")
        if not (folders := tuple(_folders(value))):
            raise
        return folders


def _folder(value: str) -> Path:
    try:
        return locate(value)
    except PluginError:
        package, colon, folder = value.partition(":")
        if "." not in folder:
            raise
        return locate(f"{package}{colon}{folder.replace('.', '/')}")


def _folders(value: Any) -> Iterator[Path]:
    if isinstance(value, str) and ":" in value and not os.path.isabs(value):
        yield locate(value)
    elif isinstance(value, str | os.PathLike):
        if (path := Path(value).absolute()).is_dir():
            yield path
    elif (search := getattr(value, "__path__", None)) is not None:
        yield from (path for path in map(Path, search) if path.is_dir())
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _folders(part)
