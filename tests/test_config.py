"""Where settings come from, and which of them wins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from corehost import ConfigurationError, Settings
from corehost.config import load_settings

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads settings in the test's folder, without this process's environment."""

    def load_here(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
        config = given.pop("config", None)
        return load_settings(config=config, environ=environ or {}, cwd=tmp_path, overrides=given)

    return load_here


def refusal(load: Load, *args: Any, **given: Any) -> str:
    """What loading is refused with."""
    with pytest.raises(ConfigurationError) as caught:
        load(*args, **given)
    return str(caught.value)


def write(tmp_path: Path, text: str, name: str = "corehost.toml") -> Path:
    """A configuration file in the working folder."""
    path = tmp_path / name
    path.write_text(text)
    return path


def test_without_any_source_the_defaults_hold(load: Load) -> None:
    """Nothing has to be configured."""
    assert load() == Settings()


def test_by_default_the_process_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its working folder and its environment."""
    path = write(tmp_path, "lock_attempts = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COREHOST_CORE_SCHEMA", "shop")
    settings = load_settings()
    assert (settings.lock_attempts, settings.core_schema, settings.config_file) == (7, "shop", str(path))


def test_pyproject_has_a_table_of_its_own(load: Load, tmp_path: Path) -> None:
    """[tool.corehost] in the working folder's pyproject.toml is read, and named."""
    path = write(tmp_path, "[tool.corehost]\nlock_attempts = 7\n", "pyproject.toml")
    settings = load()
    assert (settings.lock_attempts, settings.config_file) == (7, str(path))


def test_a_pyproject_without_the_table_is_no_configuration(load: Load, tmp_path: Path) -> None:
    """Most working folders have a pyproject.toml that means nothing here."""
    write(tmp_path, "[tool.other]\nkey = 1\n", "pyproject.toml")
    assert load().config_file is None


def test_corehost_toml_has_the_keys_at_its_top_level(load: Load, tmp_path: Path) -> None:
    """A file of its own needs no table around it."""
    path = write(tmp_path, "lock_attempts = 7\n[mounts.okapi]\nmigrations = 'okapi:db'\n")
    settings = load()
    assert (settings.lock_attempts, settings.config_file) == (7, str(path))
    assert settings.mounts["okapi"]["migrations"] == "okapi:db"


def test_corehost_toml_wins_over_pyproject(load: Load, tmp_path: Path) -> None:
    """Only one file is read."""
    write(tmp_path, "lock_attempts = 7\n")
    write(tmp_path, "[tool.corehost]\nlock_attempts = 8\nallow_empty = true\n", "pyproject.toml")
    settings = load()
    assert (settings.lock_attempts, settings.allow_empty) == (7, False)


def test_a_named_file_is_read_instead(load: Load, tmp_path: Path) -> None:
    """The argument names the file, relative to the working folder."""
    write(tmp_path, "lock_attempts = 7\n")
    write(tmp_path, "lock_attempts = 8\n", "other.toml")
    assert load(config="other.toml").lock_attempts == 8


def test_a_variable_names_the_file(load: Load, tmp_path: Path) -> None:
    """COREHOST_CONFIG is for whoever cannot give an argument."""
    path = write(tmp_path, "lock_attempts = 8\n", "other.toml")
    assert load({"COREHOST_CONFIG": str(path)}).lock_attempts == 8


def test_the_argument_wins_over_the_variable_in_naming_the_file(load: Load, tmp_path: Path) -> None:
    """An argument is nearer than the environment."""
    write(tmp_path, "lock_attempts = 7\n", "one.toml")
    write(tmp_path, "lock_attempts = 8\n", "two.toml")
    assert load({"COREHOST_CONFIG": "one.toml"}, config="two.toml").lock_attempts == 8


def test_a_named_pyproject_must_have_the_table(load: Load, tmp_path: Path) -> None:
    """Who names a file means something by it."""
    path = write(tmp_path, "[tool.corehots]\n", "pyproject.toml")
    assert f"there is no table [tool.corehost] (file {path})" in refusal(load, config=str(path))


def test_a_named_file_that_is_not_there_is_an_error(load: Load, tmp_path: Path) -> None:
    """The missing file is named in full."""
    text = refusal(load, config="nowhere.toml")
    assert text == f"the configuration file does not exist (file {tmp_path / 'nowhere.toml'})"


def test_a_named_folder_is_an_error(load: Load, tmp_path: Path) -> None:
    """What cannot be read is told with the system's reason."""
    assert "cannot be read: Is a directory" in refusal(load, config=tmp_path)


@pytest.mark.parametrize("content", [b"lock_attempts = ", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_named(load: Load, tmp_path: Path, content: bytes) -> None:
    """The parser's reason is told with the file."""
    path = tmp_path / "corehost.toml"
    path.write_bytes(content)
    text = refusal(load)
    assert "the configuration file is not TOML: " in text
    assert str(path) in text


def test_a_byte_order_mark_does_no_harm(load: Load, tmp_path: Path) -> None:
    """Some editors write one."""
    (tmp_path / "corehost.toml").write_bytes(b"\xef\xbb\xbflock_attempts = 7\n")
    assert load().lock_attempts == 7


def test_an_unknown_key_is_an_error_with_a_suggestion(load: Load, tmp_path: Path) -> None:
    """Key, table and file are named."""
    path = write(tmp_path, "[tool.corehost]\nwait-timeout = '6s'\n", "pyproject.toml")
    text = refusal(load)
    assert (
        text == f"unknown key 'wait-timeout' in [tool.corehost] (file {path}); did you mean 'wait_timeout'?"
    )


def test_an_unknown_key_of_a_mount_is_an_error_with_a_suggestion(load: Load, tmp_path: Path) -> None:
    """A mount's own keys are known too."""
    path = write(tmp_path, "[mounts.okapi]\nmigration = 'okapi:db'\n")
    text = refusal(load)
    assert text == f"unknown key 'migration' in mounts.okapi (file {path}); did you mean 'migrations'?"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lock_attempts = '7'", "lock_attempts is of type str, not a whole number"),
        ("lock_attempts = true", "lock_attempts is of type bool, not a whole number"),
        ("lock_attempts = 0", "lock_attempts is less than 1"),
        ("wait_timeout = 6", "wait_timeout: 6 has no unit"),
        ("wait_timeout = '6'", "wait_timeout: '6' is not a duration"),
        ("allow_empty = 'yes'", "allow_empty is of type str, not true or false"),
        ("plugins = 'ant'", "plugins is of type str, not a list of texts"),
        ("plugins = 3", "plugins is of type int, not a list of texts"),
        ("plugins = ['ant', 3]", "plugins: 3 is not a text"),
        ("on_plugin_error = 'ignore'", "on_plugin_error: 'ignore' is none of fail, skip"),
        ("on_plugin_error = ['skip']", "on_plugin_error: ['skip'] is none of fail, skip"),
        ("core_schema = 'pg_core'", "core_schema: schema 'pg_core' is reserved by PostgreSQL"),
        ("database_url = 5", "database_url is of type int, not a text"),
        ("extra_edges = 5", "extra_edges is of type int, not a list of pairs of revisions"),
        ("extra_edges = ['ab']", "extra_edges: 'ab' is not a pair of revisions"),
        ("extra_edges = [['a']]", "extra_edges: ['a'] is not a pair of revisions"),
        ("mounts = 5", "mounts is of type int, not a table"),
        ("mounts.x = 5", "mounts.x is of type int, not a table"),
        ("mounts.core.schema = 'x'", "mounts.core: name 'core' is reserved"),
        ("mounts.X.schema = 'x'", "mounts.X: name 'X' does not match"),
        ("mounts.x.requires = 'y'", "mounts.x.requires is of type str, not a list of texts"),
        ("mounts.x.recursive = 1", "mounts.x.recursive is of type int, not true or false"),
        ("mounts.x.x_arguments = { srid = 2154 }", "mounts.x.x_arguments.srid is of type int, not a text"),
    ],
)
def test_a_wrong_value_names_key_and_file(load: Load, tmp_path: Path, line: str, told: str) -> None:
    """What is wrong, at which key, in which file."""
    path = write(tmp_path, line)
    text = refusal(load)
    assert text.startswith(told)
    assert f"(file {path})" in text


def test_a_wrong_value_is_wrong_although_it_is_overridden(load: Load, tmp_path: Path) -> None:
    """A mistake in the file does not lie in wait for the day without the argument."""
    write(tmp_path, "lock_attempts = 'many'")
    assert "lock_attempts" in refusal(load, lock_attempts=3)


def test_the_table_of_pyproject_in_another_file_is_told(load: Load, tmp_path: Path) -> None:
    """The keys of a file of its own stand at its top level."""
    write(tmp_path, "[tool.corehost]\nlock_attempts = 7\n")
    assert "[tool.corehost] belongs into pyproject.toml" in refusal(load)


def test_the_environment_wins_over_the_file(load: Load, tmp_path: Path) -> None:
    """Each scalar setting has a variable."""
    write(tmp_path, "lock_attempts = 7\nwait_timeout = '1s'\n")
    settings = load({"COREHOST_LOCK_ATTEMPTS": "8"})
    assert (settings.lock_attempts, settings.wait_timeout) == (8, timedelta(seconds=1))


def test_arguments_win_over_the_environment(load: Load) -> None:
    """What is nearest wins."""
    assert load({"COREHOST_LOCK_ATTEMPTS": "8"}, lock_attempts=9).lock_attempts == 9


def test_an_argument_of_none_is_not_given(load: Load) -> None:
    """Command lines pass on what they were not told as None."""
    assert load({"COREHOST_LOCK_ATTEMPTS": "8"}, lock_attempts=None).lock_attempts == 8


def test_an_unknown_argument_is_an_error_with_a_suggestion(load: Load) -> None:
    """Arguments are keys like any other."""
    assert refusal(load, lock_attempt=1) == (
        "unknown key 'lock_attempt' in the arguments; did you mean 'lock_attempts'?"
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("WAIT_TIMEOUT", "250ms", timedelta(milliseconds=250)),
        ("PLUGINS", "ant, bee,", ("ant", "bee")),
        ("ALLOW_EMPTY", "True", True),
        ("SEARCH_PATH_PUBLIC", "0", False),
        ("ON_PLUGIN_ERROR", " skip ", "skip"),
        ("CORE", "shop:migrations", "shop:migrations"),
    ],
)
def test_variables_are_read_by_the_type_of_the_setting(
    load: Load, name: str, text: str, value: object
) -> None:
    """Durations, lists with commas, flags, words."""
    assert getattr(load({f"COREHOST_{name}": text}), name.lower()) == value


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_counts_as_unset(load: Load, text: str) -> None:
    """Compose files and charts leave variables empty."""
    empty = dict.fromkeys(
        ["COREHOST_PLUGINS", "COREHOST_LOCK_ATTEMPTS", "COREHOST_DATABASE_URL", "DATABASE_URL"], text
    )
    assert load(empty) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("COREHOST_LOCK_ATTEMPTS", "many", "COREHOST_LOCK_ATTEMPTS: 'many' is not a whole number"),
        ("COREHOST_ALLOW_EMPTY", "maybe", "COREHOST_ALLOW_EMPTY: 'maybe' is neither true nor false"),
        ("COREHOST_WAIT_TIMEOUT", "6", "COREHOST_WAIT_TIMEOUT: '6' is not a duration"),
        ("COREHOST_ON_PLUGIN_ERROR", "skipp", "COREHOST_ON_PLUGIN_ERROR: 'skipp' is none of fail, skip"),
    ],
)
def test_a_wrong_variable_is_named(load: Load, name: str, text: str, told: str) -> None:
    """The message speaks of the variable, not of the setting."""
    assert refusal(load, {name: text}).startswith(told)


def warnings(load: Load, caplog: pytest.LogCaptureFixture, *variables: str) -> list[str]:
    """What is logged of these variables."""
    with caplog.at_level(logging.WARNING, "corehost"):
        load(dict.fromkeys(variables, "tcp://10.0.0.1:80"))
    return caplog.messages


def test_an_unknown_variable_is_only_warned_of(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """Kubernetes injects variables for every service called corehost."""
    (message,) = warnings(load, caplog, "COREHOST_PORT")
    assert message.startswith("the environment variable COREHOST_PORT means nothing to corehost")


def test_a_misspelt_variable_is_suggested(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """A variable that has no effect is most often a slip."""
    (message,) = warnings(load, caplog, "COREHOST_PLUGIN_GROUP")
    assert message.endswith("did you mean 'COREHOST_PLUGIN_GROUPS'?")


def test_a_variable_for_a_table_is_told_to_belong_into_a_file(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    """Mounts and edges have no form as text."""
    (message,) = warnings(load, caplog, "COREHOST_MOUNTS")
    assert message.endswith("this setting comes from a file only")


def test_the_other_variables_of_corehost_are_known(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    """Not every variable is a setting."""
    others = ["COREHOST_CACHE_DIR", "COREHOST_PG_BINDIR", "COREHOST_TEST_PG", "COREHOST_DATABASE_URL_FILE"]
    assert warnings(load, caplog, *others) == []


def test_the_file_that_was_used_is_logged(
    load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Which configuration holds is in the log."""
    path = write(tmp_path, "lock_attempts = 7\n")
    with caplog.at_level(logging.INFO, "corehost"):
        load()
    assert caplog.messages == [f"settings are read from {path}"]


URLS = {
    "argument": "postgresql://argument",
    "COREHOST_DATABASE_URL": "postgresql://own",
    "file": "postgresql://file",
    "DATABASE_URL": "postgresql://ambient",
}


@pytest.mark.parametrize("strongest", range(4))
def test_the_database_is_the_strongest_that_is_given(load: Load, tmp_path: Path, strongest: int) -> None:
    """Argument, own variable, file, the variable that other programs use too."""
    given = dict(list(URLS.items())[strongest:])
    environ = {name: url for name, url in given.items() if name.isupper()}
    if "file" in given:
        write(tmp_path, f"database_url = '{given['file']}'")
    settings = load(environ, database_url=given.get("argument"))
    assert settings.database_url == next(iter(given.values()))


def test_without_any_url_libpq_decides(load: Load) -> None:
    """The PG* variables are libpq's own business."""
    assert load({"PGHOST": "db"}).database_url is None


def test_a_mounted_secret_is_named_not_read(load: Load, tmp_path: Path) -> None:
    """The file may change between connects, so its path is kept, in full."""
    settings = load({"COREHOST_DATABASE_URL_FILE": "secret", "COREHOST_MIGRATION_URL_FILE": "/run/other"})
    assert settings.database_url_file == str(tmp_path / "secret")
    assert settings.migration_url_file == "/run/other"
    assert settings.database_url is None


def test_a_mounted_token_wins_over_the_one_in_the_file(load: Load, tmp_path: Path) -> None:
    """A token is a secret like the others, and does not touch which database is meant."""
    write(tmp_path, "health_token = 'weaker'\ndatabase_url = 'postgresql://file'")
    settings = load({"COREHOST_HEALTH_TOKEN_FILE": "secret"})
    assert (settings.health_token, settings.health_token_file) == (None, str(tmp_path / "secret"))
    assert settings.database_url == "postgresql://file"


def test_a_mounted_secret_wins_over_what_is_weaker(load: Load, tmp_path: Path) -> None:
    """Its place is that of COREHOST_DATABASE_URL."""
    write(tmp_path, "database_url = 'postgresql://file'")
    settings = load({"COREHOST_DATABASE_URL_FILE": "secret", "DATABASE_URL": "postgresql://ambient"})
    assert (settings.database_url, settings.database_url_file) == (None, str(tmp_path / "secret"))


def test_an_argument_wins_over_a_mounted_secret(load: Load) -> None:
    """The secret is not read then."""
    settings = load({"COREHOST_DATABASE_URL_FILE": "secret"}, database_url="postgresql://argument")
    assert (settings.database_url, settings.database_url_file) == ("postgresql://argument", None)


@pytest.mark.parametrize("name", ["DATABASE_URL", "HEALTH_TOKEN", "MIGRATION_URL"])
def test_a_value_and_a_file_together_are_an_error(load: Load, name: str) -> None:
    """Nobody can know which one was meant."""
    variables = {f"COREHOST_{name}": "postgresql://x", f"COREHOST_{name}_FILE": "secret"}
    assert refusal(load, variables).startswith(f"both COREHOST_{name} and COREHOST_{name}_FILE are set")


def test_a_direct_connection_may_come_from_a_weaker_source(load: Load, tmp_path: Path) -> None:
    """A migration_url that stands alone holds whatever gives database_url."""
    write(tmp_path, "migration_url = 'postgresql://direct'")
    settings = load(database_url="postgresql://pooler")
    assert settings.migration_url == "postgresql://direct"


def test_a_direct_connection_falls_with_the_database_it_was_given_with(
    load: Load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Overriding one of two URLs that name one database must not migrate the other one's."""
    write(tmp_path, "database_url = 'postgresql://pooler'\nmigration_url = 'postgresql://direct'")
    with caplog.at_level(logging.WARNING, "corehost"):
        settings = load(database_url="postgresql://elsewhere")
    assert (settings.database_url, settings.migration_url) == ("postgresql://elsewhere", None)
    assert "migration_url from" in caplog.text


def test_a_url_is_not_shown_by_the_settings(load: Load) -> None:
    """Settings end up in logs and tracebacks."""
    shown = repr(load(database_url="postgresql://u:secret@h", migration_url="secret", health_token="secret"))
    assert "secret" not in shown
