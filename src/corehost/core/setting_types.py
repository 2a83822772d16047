"""What the value of a setting may be: each check gives the value back, frozen, or raises ConfigurationError.

``label`` is how the message calls the setting: its name, its place in a table, or a variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from corehost.core.errors import ConfigurationError, did_you_mean

_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h)")


def parse_duration(text: str) -> timedelta:
    """``250ms``, ``6s``, ``10min``, ``2h`` as a timedelta; raises ValueError without a unit."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write it with a unit: 250ms, 6s, 10min, 2h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def as_duration(label: str, value: Any) -> timedelta:
    """A timedelta that is not negative, from itself or from text with a unit."""
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise ConfigurationError(f"{label} is negative: {value}")
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"{label}: {value!r} has no unit", hint="write 250ms, 6s, 10min or 2h")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ConfigurationError(f"{label}: {error}") from None


def as_choice(label: str, value: Any, choices: Sequence[str]) -> str:
    """One of a few words."""
    if value not in choices:
        raise ConfigurationError(
            f"{label}: {value!r} is none of {', '.join(choices)}", hint=did_you_mean(str(value), choices)
        )
    return str(value)


def as_choices(label: str, value: Any, choices: Sequence[str]) -> Mapping[str, str]:
    """A table of such words, read-only."""
    table = as_table(label, value)
    return MappingProxyType({key: as_choice(f"{label}.{key}", item, choices) for key, item in table.items()})


def as_text(label: str, value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _wrong_type(label, value, "a text")
    return value


def as_flag(label: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong_type(label, value, "true or false")
    return value


def as_number(label: str, value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(label, value, "a whole number")
    return value


def as_texts(label: str, value: Any) -> tuple[str, ...]:
    """A list of texts, as a tuple."""
    if not _is_list(value):
        raise _wrong_type(label, value, "a list of texts")
    for part in value:
        if not isinstance(part, str):
            raise ConfigurationError(f"{label}: {part!r} is not a text")
    return tuple(value)


def as_text_or_texts(label: str, value: Any) -> str | tuple[str, ...]:
    """A text, or a list of them that is not empty, as a tuple."""
    if not _is_list(value):
        return as_text(label, value)
    if not value:
        raise ConfigurationError(f"{label} is an empty list")
    return as_texts(label, value)


def as_edges(label: str, value: Any) -> tuple[tuple[str, str], ...]:
    """A list of pairs of texts."""
    if not _is_list(value):
        raise _wrong_type(label, value, "a list of pairs of revisions")
    for edge in value:
        if not _is_list(edge) or len(edge) != 2 or not all(isinstance(part, str) for part in edge):
            raise ConfigurationError(
                f"{label}: {edge!r} is not a pair of revisions",
                hint='write ["branch@revision", "branch@revision"]',
            )
    return tuple((first, second) for first, second in value)


def as_table(label: str, value: Any) -> Mapping[str, Any]:
    """A table, read-only."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _wrong_type(label, value, "a table")
    return MappingProxyType(dict(value))


def as_text_table(label: str, value: Any) -> Mapping[str, str]:
    """A table of texts, read-only."""
    table = as_table(label, value)
    for key, item in table.items():
        as_text(f"{label}.{key}", item)
    return table


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _wrong_type(label: str, value: Any, wanted: str) -> ConfigurationError:
    # the value itself stays out of the message: it may be a secret
    return ConfigurationError(f"{label} is of type {type(value).__name__}, not {wanted}")
