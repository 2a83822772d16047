"""The settings as values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from corehost import ConfigurationError, Settings
from corehost.core.setting_types import parse_duration
from corehost.core.settings import environment_settings, known_settings


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("6s", 6_000), ("1.5s", 1_500), ("10min", 600_000), ("2h", 7_200_000), (" 0 s ", 0)],
)
def test_a_duration_has_a_unit(text: str, milliseconds: int) -> None:
    """Milliseconds, seconds, minutes, hours."""
    assert parse_duration(text) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("text", ["6", "", "s", "-1s", "6 sec", "1h30min", "1d", "nan s"])
def test_what_has_no_unit_is_no_duration(text: str) -> None:
    """A bare number could be seconds or milliseconds."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_durations_may_be_given_as_values() -> None:
    """Python code has a type for them."""
    assert Settings(wait_timeout=timedelta(seconds=6)) == Settings(wait_timeout="6s")  # type: ignore[arg-type]


def test_a_negative_duration_is_refused() -> None:
    """Text cannot say one, a value can."""
    with pytest.raises(ConfigurationError, match="wait_timeout is negative"):
        Settings(wait_timeout=timedelta(seconds=-1))


def test_lists_are_kept_as_tuples() -> None:
    """Settings do not change under those who read them."""
    assert Settings(plugins=["ant"]).plugins == ("ant",)  # type: ignore[arg-type]


def test_mounts_are_frozen_through_and_through() -> None:
    """Whoever made the table may go on to change it."""
    mount: dict[str, Any] = {"migrations": "okapi:db", "requires": ["ant"], "options": {"a": "b"}}
    settings = Settings(mounts={"okapi": mount})
    mount["requires"].append("bee")
    mount["options"]["a"] = "c"
    assert settings.mounts["okapi"] == {
        "migrations": "okapi:db",
        "requires": ("ant",),
        "options": {"a": "b"},
    }
    with pytest.raises(TypeError):
        settings.mounts["okapi"]["schema"] = "x"  # type: ignore[index]


def test_an_unknown_key_of_a_mount_is_refused() -> None:
    """Whether a file or a program gives it."""
    with pytest.raises(
        ConfigurationError, match=r"unknown key 'shema' in mounts\.okapi; did you mean 'schema'"
    ):
        Settings(mounts={"okapi": {"shema": "x"}})


def test_a_url_and_a_file_of_it_exclude_each_other() -> None:
    """One database has one place to be named."""
    with pytest.raises(ConfigurationError, match="database_url and database_url_file are both given"):
        Settings(database_url="postgresql://x", database_url_file="/run/secret")


def test_the_message_of_a_wrong_type_does_not_show_the_value() -> None:
    """It may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(database_url=b"postgresql://u:secret@h")  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_tables_have_no_variable() -> None:
    """Every setting may stand in a file, all but mounts and edges in the environment too."""
    assert set(known_settings()) - set(environment_settings()) == {"mounts", "extra_edges"}


def test_where_the_settings_come_from_is_no_setting() -> None:
    """A file cannot say which file it is, nor where the secrets are mounted."""
    elsewhere = {"config_file", "database_url_file", "health_token_file", "migration_url_file"}
    assert not elsewhere & set(known_settings())
