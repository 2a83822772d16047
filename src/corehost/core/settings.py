"""Every setting, with its type, default and meaning; reading them is config.py's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from corehost.core.errors import ConfigurationError, Where, did_you_mean
from corehost.core.mounts import as_mounts
from corehost.core.namespace import schema_problem
from corehost.core.setting_types import (
    as_choice,
    as_choices,
    as_duration,
    as_edges,
    as_flag,
    as_number,
    as_text,
    as_texts,
)


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
    on_migration_error: str | Mapping[str, str] = field(
        default="fail", metadata={"choices": ("fail", "disable"), "per_plugin": True}
    )
    """``"fail"``, or ``"disable"``: go on without a plugin whose migrations cannot be done, and without
    what requires it. A table says it of single plugins, ``"*"`` of the others."""
    on_database_ahead: Literal["allow", "refuse"] = field(
        default="allow", metadata={"choices": ("allow", "refuse")}
    )
    """Whether an older release may serve a database that is ahead of it, where the two are compatible."""
    on_destructive: Literal["allow", "refuse"] = field(
        default="allow", metadata={"choices": ("allow", "refuse")}
    )
    """Whether a step that drops or narrows data, as far as its source shows, may be run as any other."""
    contract_steps: Literal["auto", "manual"] = field(
        default="auto", metadata={"choices": ("auto", "manual")}
    )
    """Whether contract steps are run when no older instance is there any more, or by an operator alone."""
    contract_delay: timedelta = timedelta(hours=1)
    """How long after the last older instance has left: time to roll back."""
    presence: Literal["on", "off"] = field(default="on", metadata={"choices": ("on", "off")})
    """Whether an instance that serves holds a connection that shows it; else contract steps are manual."""
    wait_timeout: timedelta = timedelta(minutes=10)
    """How long to wait without any progress by anybody."""
    lock_timeout: timedelta = timedelta(seconds=1)
    """PostgreSQL's lock_timeout of a step, per attempt; 0: none."""
    lock_attempts: int = 30
    """How often a step is tried that cannot have its table locks."""
    statement_timeout: timedelta = timedelta(0)
    """PostgreSQL's statement_timeout of a step; 0: none."""
    shutdown_grace: timedelta = timedelta(seconds=20)
    """How long a step may go on after this process was asked to end; then it is rolled back."""
    startup_timeout: timedelta = timedelta(seconds=60)
    """How long a plugin's ``corehost_startup`` may take; then the start fails. 0: for ever."""
    shutdown_timeout: timedelta = timedelta(seconds=10)
    """How long a plugin's ``corehost_shutdown`` is waited for; 0: for ever."""
    mode: Literal["migrate", "wait", "check", "off"] = field(
        default="migrate", metadata={"choices": ("migrate", "wait", "check", "off")}
    )
    """What a start does before the plugins are started: run the pass, wait until another job has, look
    once and fail where something is pending, or nothing."""
    on_failure: Literal["retry", "exit"] = field(default="retry", metadata={"choices": ("retry", "exit")})
    """Whether a serving host whose start failed tries again, or ends its process."""
    readiness_needs_database: bool = False
    """Whether an instance that serves is not ready while the database is away."""
    pass_timeout: timedelta = timedelta(0)
    """How long the whole pass may take; 0: for ever."""
    holder_idle_timeout: timedelta = timedelta(minutes=5)
    """A holder of a lock that does nothing for so long is cut off."""
    search_path_public: bool = True
    """Whether ``public`` ends the search_path of every step."""
    health_token: str | None = field(default=None, repr=False)
    """Who does not show it (``Authorization: Bearer``) sees of the health endpoints whether the host is ready
    and its state, no details."""
    health_token_file: str | None = None
    """A file that holds health_token, read again when it may have changed; from the environment only."""
    config_file: str | None = None
    """The file that these settings were read from, where there was one."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, check_setting(item.name, getattr(self, item.name)))
        for name in ("database_url", "migration_url", "health_token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ConfigurationError(f"{name} and {name}_file are both given", hint="give one of them")

    def is_optional(self, plugin: str) -> bool:
        """Whether the host goes on without a plugin whose migrations cannot be done."""
        policy = self.on_migration_error
        if not isinstance(policy, str):
            policy = policy.get(plugin, policy.get("*", "fail"))
        return policy == "disable"


_NOT_SETTABLE: Final = frozenset(
    {"config_file", "database_url_file", "health_token_file", "migration_url_file"}
)
_FILES_ONLY: Final = frozenset({"extra_edges", "mounts"})
_TEXTS: Final = frozenset(
    {"core", "core_schema", "database_url", "extension_schema", "health_token", "migration_url"}
    | _NOT_SETTABLE
)
_FLAGS: Final = frozenset({"allow_empty", "readiness_needs_database", "search_path_public"})
_LISTS: Final = frozenset({"plugin_groups", "migration_groups", "hooks", "hookspecs", "plugins", "disabled"})
_OPTIONAL: Final = frozenset(
    {"core", "database_url", "health_token", "migration_url", "plugins", *_NOT_SETTABLE}
)
_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = MappingProxyType(
    {
        **dict.fromkeys(_TEXTS, as_text),
        **dict.fromkeys(_FLAGS, as_flag),
        **dict.fromkeys(_LISTS, as_texts),
        "lock_attempts": as_number,
        "extra_edges": as_edges,
        "mounts": as_mounts,
    }
)


def known_settings() -> tuple[str, ...]:
    """The names of all settings that a file or an argument may give, sorted."""
    return tuple(sorted(item.name for item in fields(Settings) if item.name not in _NOT_SETTABLE))


def environment_settings() -> tuple[str, ...]:
    """The names of the settings that an environment variable may give, sorted: no tables, no pairs."""
    return tuple(name for name in known_settings() if name not in _FILES_ONLY)


def refuse_unknown(
    names: Iterable[str], *, known: Collection[str], source: str, where: Where | None = None
) -> None:
    """Raise ConfigurationError for the first name that is not known, with a 'did you mean'."""
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"unknown key {name!r} in {source}", where=where, hint=did_you_mean(name, known)
            )


def check_setting(name: str, value: Any, *, label: str | None = None) -> Any:
    """The value that :class:`Settings` keeps for that setting; raises ConfigurationError.

    ``label`` is how the message calls the setting; by default its name.
    """
    label = label or name
    if value is None and name in _OPTIONAL:
        return None
    item = Settings.__dataclass_fields__[name]
    if isinstance(item.default, timedelta):
        return as_duration(label, value)
    if "per_plugin" in item.metadata and isinstance(value, Mapping):
        return as_choices(label, value, item.metadata["choices"])
    if "choices" in item.metadata:
        return as_choice(label, value, item.metadata["choices"])
    checked = _CHECKS[name](label, value)
    if name in ("core_schema", "extension_schema") and (problem := schema_problem(checked)):
        raise ConfigurationError(f"{label}: {problem}")
    if name == "health_token" and not checked.strip():
        raise ConfigurationError(f"{label} is empty")
    if name == "lock_attempts" and checked < 1:
        raise ConfigurationError(f"{label} is less than 1")
    return checked


def from_text(name: str, text: str, *, label: str | None = None) -> object:
    """The value of a scalar or list setting written as text, as in an environment variable.

    Raises ConfigurationError for a text that is no such value at all; :func:`check_setting` does the rest.
    """
    label, text = label or name, text.strip()
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name in _FLAGS:
        lowered = text.lower()
        if lowered in ("1", "true", "yes", "on"):
            return True
        if lowered in ("0", "false", "no", "off"):
            return False
        raise ConfigurationError(f"{label}: {text!r} is neither true nor false")
    if name == "lock_attempts":
        try:
            return int(text)
        except ValueError:
            raise ConfigurationError(f"{label}: {text!r} is not a whole number") from None
    return text
