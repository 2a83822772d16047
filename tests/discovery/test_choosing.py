"""Which of the installed plugins the settings choose."""

from __future__ import annotations

import logging
import sys

import pytest

from corehost import ConfigurationError
from support.finding import MIGRATIONS, Install, complaint, find, names, refusal, row, survey


def test_only_the_chosen_plugins_are_taken(install: Install) -> None:
    """`plugins` is the whole list."""
    install("ant")
    install("bee")
    assert names(find(plugins=["bee"])) == ["bee"]


def test_a_disabled_plugin_is_not_taken(install: Install) -> None:
    """`disabled` takes away from what is installed."""
    install("ant")
    install("bee")
    assert names(find(disabled=["bee"])) == ["ant"]


def test_disabled_wins_over_chosen(install: Install) -> None:
    """A name in both lists is left out."""
    install("ant")
    install("bee")
    assert names(find(plugins=["ant", "bee"], disabled=["ant"])) == ["bee"]


def test_a_disabled_plugin_is_not_imported(install: Install) -> None:
    """A plugin that does harm when it is imported can be switched off."""
    install("ant")
    install("bee")
    find(disabled=["bee"])
    assert "bee" not in sys.modules


def test_choosing_goes_by_name_whatever_the_kind(install: Install, install_bare: Install) -> None:
    """Migrations entry points and mounts are chosen like plugins."""
    install("ant")
    install_bare("bee", entry_points={MIGRATIONS: {"bee": "bee:migrations"}})
    mounts = {"cat": {"migrations": "ant:migrations"}}
    assert names(find(plugins=["ant"], mounts=mounts)) == ["ant"]
    assert names(find(disabled=["bee"], mounts=mounts)) == ["ant", "cat"]


def test_the_core_needs_no_choosing(install: Install) -> None:
    """`plugins` says which plugins are taken; the host's own branch is none."""
    install("ant")
    install("shop", entry_points={})
    assert names(find(core="shop:migrations", plugins=["ant"])) == ["ant", "core"]


def test_the_core_can_be_disabled(install: Install) -> None:
    """`disabled` goes by name, and the core has one."""
    install("ant")
    install("shop", entry_points={})
    assert names(find(core="shop:migrations", disabled=["core"])) == ["ant"]


def test_a_chosen_plugin_that_is_not_installed_is_an_error_with_a_suggestion(install: Install) -> None:
    """Who lists a plugin counts on it."""
    install("accounts")
    text = str(refusal(plugins=["acounts", "accounts"]))
    assert "the setting `plugins` names it, but it is not installed (branch 'acounts')" in text
    assert "did you mean 'accounts'?" in text


def test_a_chosen_plugin_that_is_not_installed_may_be_skipped(install: Install) -> None:
    """It is left out like any other plugin that is wrong, where that is asked for."""
    install("ant")
    discovery = find(plugins=["ant", "bee"], on_plugin_error="skip")
    assert [skipped.plugin for skipped in discovery.skipped] == ["bee"]


def test_a_disabled_plugin_that_is_not_installed_is_only_warned_of(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """One configuration may serve environments with different plugins."""
    install("ant")
    with caplog.at_level(logging.WARNING, "corehost"):
        assert names(find(disabled=["nobody"])) == ["ant"]
    assert "the setting `disabled` names 'nobody', which is not installed" in caplog.text


def test_a_disabled_plugin_is_shown_as_such(install: Install) -> None:
    """The list of plugins shows what was left out on purpose, and from where."""
    install("ant", version="4.2")
    found = row(survey(disabled=["ant"]), "ant")
    assert (found.state, found.origin.version, found.problems) == ("disabled", "4.2", ())


def test_no_branch_at_all_is_an_error() -> None:
    """A host that finds nothing runs in the wrong environment."""
    with pytest.raises(ConfigurationError, match="there is no branch at all") as caught:
        find()
    assert sys.prefix in str(caught.value)
    assert "tests.plugins, tests.migrations" in str(caught.value)


def test_no_branch_at_all_names_what_was_left_out(install: Install) -> None:
    """Where everything is disabled the message says so."""
    install("ant")
    with pytest.raises(ConfigurationError, match="disabled or left out: ant"):
        find(disabled=["ant"])


def test_no_branch_at_all_is_fine_where_it_is_allowed() -> None:
    """A host may begin without plugins."""
    assert find(allow_empty=True).branches == ()


def test_inspection_of_nothing_raises_nothing() -> None:
    """The list of plugins may be empty."""
    assert survey().found == ()


def test_the_core_is_a_branch_in_its_own_schema(install: Install) -> None:
    """The host's own branch is called core; its schema is core_schema, its version table Alembic's."""
    package = install("shop", entry_points={})
    (branch,) = find(core="shop:migrations", core_schema="public").branches
    assert (branch.name, branch.script_location) == ("core", package / "migrations")
    assert (branch.namespace.schema, branch.namespace.version_table) == ("public", "alembic_version")


def test_the_core_is_not_imported(install: Install) -> None:
    """The host application may be slow to import, or want a database."""
    install("shop", entry_points={}, files={"__init__.py": "raise RuntimeError"})
    assert names(find(core="shop:migrations")) == ["core"]


def test_the_core_comes_from_the_distribution_that_ships_its_folder(install: Install) -> None:
    """The core's version is that of the host application, whatever its distribution is called."""
    install("shop", entry_points={}, distribution="acme-web-shop", version="7.1")
    install("other", entry_points={})
    (branch,) = find(core="shop:migrations").branches
    assert (branch.origin.distribution, branch.origin.version) == ("acme-web-shop", "7.1")


def test_a_core_that_is_not_there_is_never_skipped(install: Install) -> None:
    """A host without its own tables serves nobody."""
    install("ant")
    text = str(refusal(core="shop:migrations", on_plugin_error="skip"))
    assert "the package 'shop' is not installed (branch 'core', entry point [core = shop:migrations])" in text


def test_a_core_that_is_not_there_is_told_by_inspection(install: Install) -> None:
    """The list of plugins shows the core with what is wrong with it."""
    assert "is not installed" in complaint("core", core="shop:migrations")
