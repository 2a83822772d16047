"""A mount: a branch that the host declares in its settings, or overrides of an installed plugin's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from corehost.core.errors import ConfigurationError, did_you_mean
from corehost.core.setting_types import as_flag, as_table, as_text, as_text_or_texts, as_text_table, as_texts
from corehost.core.spec import name_problem

_KEYS: Final[Mapping[str, Callable[[str, Any], Any]]] = MappingProxyType(
    {
        "migrations": as_text_or_texts,
        "schema": as_text,
        "version_table": as_text,
        "target": as_text,
        "metadata": as_text,
        "requires": as_texts,
        "after": as_texts,
        "extensions": as_texts,
        "preload": as_texts,
        "recursive": as_flag,
        "x_arguments": as_text_table,
        "options": as_text_table,
        "bootstrap": as_text,
    }
)
SPEC_KEYS: Final = frozenset(_KEYS) - {"x_arguments", "options", "bootstrap"}
"""The keys that a mount shares with PluginSpec."""


def as_mounts(label: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
    """The ``mounts`` setting, every key checked and frozen; raises ConfigurationError."""
    mounts = {}
    for name, table in as_table(label, value).items():
        if problem := name_problem(name):
            raise ConfigurationError(f"{label}.{name}: {problem}")
        mounts[name] = _as_mount(f"{label}.{name}", table)
    return MappingProxyType(mounts)


def _as_mount(label: str, value: Any) -> Mapping[str, Any]:
    table = as_table(label, value)
    for key in table:
        if key not in _KEYS:
            raise ConfigurationError(f"unknown key {key!r} in {label}", hint=did_you_mean(key, _KEYS))
    return MappingProxyType({key: _KEYS[key](f"{label}.{key}", item) for key, item in table.items()})
