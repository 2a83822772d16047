"""Every setting, with its type, default and meaning; reading them is config.py's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from corehost.core.errors import ConfigurationError, did_you_mean
from corehost.core.namespace import schema_problem

_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)")


def parse_duration(text: str) -> timedelta:
    """``250ms``, ``6s``, ``10min``, ``2h`` as a timedelta; raises ValueError without a unit."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write it with a unit: 250ms, 6s, 10min, 2h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def _duration(default: str) -> Any:
    return field(default=parse_duration(default), metadata={"kind": "duration"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one host: one host is one database.

    Durations may be given as text with a unit, or as a timedelta. Raises ConfigurationError.
    """

    database_url: str | None = field(default=None, repr=False)
    """The database; None: libpq's own PG* variables."""
    migration_url: str | None = field(default=None, repr=False)
    """A direct connection for the pass, where database_url goes through a pooler."""
    database_url_file: str | None = None
    """A file that holds database_url, read again at each connect; from the environment only."""
    migration_url_file: str | None = None
    """The same for migration_url."""
    core: str | None = None
    """``"package:folder"`` of the host's own branch."""
    core_schema: str = "core"
    """The core's schema."""
    extension_schema: str = "public"
    """Where extensions are made; on every step's search_path."""
    plugin_groups: tuple[str, ...] = ("corehost.plugins",)
    """Entry-point groups that hold plugins."""
    migration_groups: tuple[str, ...] = ("corehost.migrations",)
    """Entry-point groups that hold ``name = package:folder`` without a hook."""
    hooks: tuple[str, ...] = ()
    """The host's own modules of hook implementations."""
    hookspecs: tuple[str, ...] = ()
    """The host's own modules of hook specifications."""
    plugins: tuple[str, ...] | None = None
    """Only these plugins; None: all that are installed."""
    disabled: tuple[str, ...] = ()
    """Not these plugins."""
    extra_edges: tuple[tuple[str, str], ...] = ()
    """``(a, b)``: revision a, written branch@revision, depends on revision b."""
    mounts: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    """Branches without a hook, or overrides of an installed plugin's keys."""
    allow_empty: bool = False
    """Whether no branch at all beside the ledger is fine."""
    on_plugin_error: Literal["fail", "skip"] = field(default="fail", metadata={"choices": ("fail", "skip")})
    """Whether a plugin that is wrong stops the host, or is left out with all that requires it."""
    wait_timeout: timedelta = _duration("10min")
    """How long to wait without any progress by anybody."""
    lock_timeout: timedelta = _duration("1s")
    """PostgreSQL's lock_timeout of a step, per attempt; 0: none."""
    lock_attempts: int = 30
    """How often a step is tried that cannot have its table locks."""
    statement_timeout: timedelta = _duration("0s")
    """PostgreSQL's statement_timeout of a step; 0: none."""
    holder_idle_timeout: timedelta = _duration("5min")
    """A holder of a lock that does nothing for so long is cut off."""
    search_path_public: bool = True
    """Whether ``public`` ends the search_path of every step."""
    config_file: str | None = None
    """The file that these settings were read from, where there was one."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _checked(item.name, item.metadata, getattr(self, item.name)))
        for name in ("core_schema", "extension_schema"):
            if problem := schema_problem(getattr(self, name)):
                raise ConfigurationError(f"{name}: {problem}")
        if self.lock_attempts < 1:
            raise ConfigurationError("lock_attempts is less than 1")


_NOT_SETTABLE: Final = {"config_file", "database_url_file", "migration_url_file"}
_TEXTS: Final = {"database_url", "migration_url", "core", "core_schema", "extension_schema", *_NOT_SETTABLE}
_FLAGS: Final = {"allow_empty", "search_path_public"}
_LISTS: Final = {"plugin_groups", "migration_groups", "hooks", "hookspecs", "plugins", "disabled"}
_OPTIONAL: Final = {"database_url", "migration_url", "core", "plugins", *_NOT_SETTABLE}


def known_settings() -> tuple[str, ...]:
    """The names of all settings that a file or an argument may give, sorted."""
    return tuple(sorted(item.name for item in fields(Settings) if item.name not in _NOT_SETTABLE))


def refuse_unknown(names: Mapping[str, Any], *, known: tuple[str, ...], source: str) -> None:
    """Raise ConfigurationError for the first key that is not known, with a 'did you mean'."""
    for name in names:
        if name not in known:
            raise ConfigurationError(f"unknown key {name!r} in {source}", hint=did_you_mean(name, known))


def from_text(name: str, text: str) -> object:
    """The value of a scalar or list setting written as text, as in an environment variable."""
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name in _FLAGS:
        lowered = text.strip().lower()
        if lowered in ("1", "true", "yes", "on"):
            return True
        if lowered in ("0", "false", "no", "off"):
            return False
        raise ConfigurationError(f"{name}: {text!r} is neither true nor false")
    if name == "lock_attempts":
        try:
            return int(text)
        except ValueError:
            raise ConfigurationError(f"{name}: {text!r} is not a number") from None
    return text


def _checked(name: str, metadata: Mapping[str, Any], value: Any) -> Any:
    if value is None and name in _OPTIONAL:
        return None
    check = _CHECKS.get(name)
    if check is None and metadata.get("kind") == "duration":
        check = _as_duration
    if check is None and "choices" in metadata:
        return _as_choice(name, value, metadata["choices"])
    return check(name, value) if check else value


def _as_duration(name: str, value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}: {value!r} has no unit", hint="write 250ms, 6s, 10min or 2h")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _as_choice(name: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise ConfigurationError(
            f"{name}: {value!r} is none of {', '.join(choices)}", hint=did_you_mean(str(value), choices)
        )
    return value


def _as_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not a text")
    return value


def _as_flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not true or false")
    return value


def _as_number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, not a number")
    return value


def _as_texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(part, str) for part in value):
        raise ConfigurationError(f"{name} is not a list of texts")
    return tuple(value)


def _as_edges(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    edges = []
    for edge in value:
        if isinstance(edge, str) or len(edge) != 2 or not all(isinstance(part, str) for part in edge):
            raise ConfigurationError(f"{name}: {edge!r} is not a pair of revisions")
        edges.append((edge[0], edge[1]))
    return tuple(edges)


def _as_mounts(name: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(mount, Mapping) for mount in value.values()):
        raise ConfigurationError(f"{name} is not a table of tables")
    return MappingProxyType({key: MappingProxyType(dict(mount)) for key, mount in value.items()})


_CHECKS: Final[dict[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(_TEXTS, _as_text),
    **dict.fromkeys(_FLAGS, _as_flag),
    **dict.fromkeys(_LISTS, _as_texts),
    "lock_attempts": _as_number,
    "extra_edges": _as_edges,
    "mounts": _as_mounts,
}
