"""Reads the settings: a file, then environment variables, then arguments; later wins.

The file is the one that ``config`` or ``COREHOST_CONFIG`` names; otherwise ``corehost.toml`` in the working
folder; otherwise ``pyproject.toml`` there, where it has a table ``[tool.corehost]``. Only one file is read.
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from corehost.core.errors import ConfigurationError, Where, did_you_mean
from corehost.core.settings import (
    Settings,
    check_setting,
    environment_settings,
    from_text,
    known_settings,
    refuse_unknown,
)

_LOG: Final = logging.getLogger("corehost")
_PREFIX: Final = "COREHOST_"
_CONFIG: Final = "COREHOST_CONFIG"
_SECRETS: Final = ("database_url", "health_token", "migration_url")
"""What a mounted file may hold instead, named by a variable that ends in ``_FILE``."""
_OTHER_VARIABLES: Final = frozenset(
    {
        _CONFIG,
        "COREHOST_CACHE_DIR",
        "COREHOST_PG_BINDIR",
        "COREHOST_TEST_PG",
        *(f"COREHOST_{name.upper()}_FILE" for name in _SECRETS),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """One place that settings come from."""

    label: str
    """How a message calls it."""
    values: Mapping[str, Any]
    """The settings that it gives, checked."""


def load_settings(
    *,
    config: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    cwd: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """The settings in effect.

    ``config`` names the file, ``cwd`` is the working folder (by default the process's), ``overrides`` are
    arguments by setting name, where None means not given. The database is the first of: the argument,
    ``COREHOST_DATABASE_URL`` or its ``_FILE``, the file, ``DATABASE_URL``; otherwise None, which leaves it to
    libpq's ``PG*`` variables.

    Raises ConfigurationError, naming file or variable and key, for whatever cannot be read or is wrong. An
    unknown ``COREHOST_*`` variable is only warned of.
    """
    folder = Path.cwd() if cwd is None else Path(cwd)
    _warn_of_unknown(environ)
    sources = [_ambient(environ), _environment(environ, folder), _arguments(overrides)]
    file = _file(config or environ.get(_CONFIG), folder)
    if file is not None:
        sources.insert(1, file)
        _LOG.info("settings are read from %s", file.label, extra={"event": "settings.read"})
    return Settings(**_merged(sources), config_file=None if file is None else file.label)


def _file(named: str | os.PathLike[str] | None, folder: Path) -> _Source | None:
    if named is not None and os.fspath(named).strip():
        path = folder / named
        return _checked(path, _parsed(path))
    for path in (folder / "corehost.toml", folder / "pyproject.toml"):
        if path.is_file():
            document = _parsed(path)
            if path.name == "corehost.toml" or _corehost_table(document) is not None:
                return _checked(path, document)
    return None


def _parsed(path: Path) -> dict[str, Any]:
    where = Where(file=str(path))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError("the configuration file does not exist", where=where) from None
    except OSError as error:
        raise ConfigurationError(
            f"the configuration file cannot be read: {error.strerror or error}", where=where
        ) from None
    except ValueError as error:  # tomllib's, and UTF-8's
        raise ConfigurationError(f"the configuration file is not TOML: {error}", where=where) from None


def _corehost_table(document: Mapping[str, Any]) -> Any:
    tool = document.get("tool")
    return tool.get("corehost") if isinstance(tool, Mapping) else None


def _checked(path: Path, document: Any) -> _Source:
    where, label = Where(file=str(path)), path.name
    if path.name == "pyproject.toml":
        document, label = _corehost_table(document), "[tool.corehost]"
        if document is None:
            raise ConfigurationError("there is no table [tool.corehost]", where=where)
        if not isinstance(document, Mapping):
            raise ConfigurationError("tool.corehost is not a table", where=where)
    elif _corehost_table(document) is not None:
        raise ConfigurationError(
            "[tool.corehost] belongs into pyproject.toml",
            where=where,
            hint="in this file the same keys stand at the top level, mounts as [mounts.<name>]",
        )
    refuse_unknown(document, known=known_settings(), source=label, where=where)
    try:
        values = {name: check_setting(name, value) for name, value in document.items()}
    except ConfigurationError as error:
        raise ConfigurationError(error.message, where=where, hint=error.hint) from None
    return _Source(label=str(path), values=values)


def _ambient(environ: Mapping[str, str]) -> _Source:
    """What other programs use too, and therefore the weakest."""
    url = environ.get("DATABASE_URL", "").strip()
    return _Source(label="DATABASE_URL", values={"database_url": url} if url else {})


def _environment(environ: Mapping[str, str], folder: Path) -> _Source:
    values: dict[str, Any] = {}
    for name in environment_settings():
        variable = _PREFIX + name.upper()
        if text := environ.get(variable, "").strip():
            values[name] = check_setting(name, from_text(name, text, label=variable), label=variable)
    for name in _SECRETS:
        variable = f"{_PREFIX}{name.upper()}"
        if file := environ.get(f"{variable}_FILE", "").strip():
            if name in values:
                raise ConfigurationError(f"both {variable} and {variable}_FILE are set", hint="unset one")
            # Absolute, since it is read at every connect and the working folder may have changed by then.
            values[f"{name}_file"] = os.path.join(folder.absolute(), file)
    return _Source(label="the environment", values=values)


def _arguments(overrides: Mapping[str, object]) -> _Source:
    label = "the arguments"
    refuse_unknown(overrides, known=known_settings(), source=label)
    given = {name: value for name, value in overrides.items() if value is not None}
    return _Source(label=label, values={name: check_setting(name, value) for name, value in given.items()})


def _merged(sources: list[_Source]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    given_by: dict[str, str] = {}
    for source in sources:
        own = {name for name in _SECRETS if source.values.keys() & _spellings(name)}
        if "database_url" in own and "migration_url" not in own:
            _drop_stale_migration_url(values, given_by, source)
        for name in own:
            for spelling in _spellings(name):
                values.pop(spelling, None)
            given_by[name] = source.label
        values.update(source.values)
    return values


def _drop_stale_migration_url(values: dict[str, Any], given_by: Mapping[str, str], source: _Source) -> None:
    # Two URLs given together name one database. Where only database_url is overridden, the pass would go on
    # to migrate the database that the operator has just turned away from.
    if "migration_url" in given_by and given_by.get("database_url") == given_by["migration_url"]:
        for spelling in _spellings("migration_url"):
            values.pop(spelling, None)
        _LOG.warning(
            "migration_url from %s is not used: %s gives another database_url without one",
            given_by["migration_url"],
            source.label,
            extra={"event": "settings.migration_url_unused"},
        )


def _spellings(name: str) -> set[str]:
    return {name, f"{name}_file"}


def _warn_of_unknown(environ: Mapping[str, str]) -> None:
    for variable, hint in _unknown(environ):
        _LOG.warning(
            "the environment variable %s means nothing to corehost%s",
            variable,
            f"; {hint}" if hint else "",
            extra={"event": "settings.unknown_variable"},
        )


def _unknown(environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    settable = {_PREFIX + name.upper() for name in environment_settings()}
    files_only = {_PREFIX + name.upper() for name in known_settings()} - settable
    known = settable | _OTHER_VARIABLES
    for variable in sorted(environ):
        if variable.startswith(_PREFIX) and variable not in known and environ[variable].strip():
            if variable in files_only:
                yield variable, "this setting comes from a file only"
            else:
                yield variable, did_you_mean(variable, known)
