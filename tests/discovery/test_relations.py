"""What discovery says of plugins that do not go together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from support.finding import MIGRATIONS, PLUGINS, Install, complaint, find, names, refusal, row, survey


def test_a_requirement_that_is_installed_is_met(install: Install) -> None:
    """A plain name asks for any version."""
    install("ant", fields={"requires": ("bee",)})
    install("bee")
    assert names(find()) == ["ant", "bee"]


def test_a_requirement_that_is_not_installed_is_told_with_a_suggestion(install: Install) -> None:
    """A misspelt requirement names what was probably meant."""
    install("ant", fields={"requires": ("acounts",)})
    install("accounts")
    assert complaint("ant") == "it requires 'acounts', which is not installed; did you mean 'accounts'?"


def test_a_requirement_that_is_disabled_is_told_so(install: Install) -> None:
    """What is installed and disabled is not called missing."""
    install("ant", fields={"requires": ("bee",)})
    install("bee")
    assert "'bee', which is disabled: the setting `disabled` names it" in complaint("ant", disabled=["bee"])


def test_a_requirement_that_was_not_chosen_is_told_so(install: Install) -> None:
    """What is installed and left out by `plugins` is not called missing."""
    install("ant", fields={"requires": ("bee",)})
    install("bee")
    text = complaint("ant", plugins=["ant"])
    assert "'bee', which is disabled: the setting `plugins` does not name it" in text


@pytest.mark.parametrize("version", ["1.2", "2.9.post1", "1.3rc1"])
def test_a_version_that_fits_is_accepted(install: Install, version: str) -> None:
    """The distribution's version counts, and pre-releases satisfy."""
    install("ant", fields={"requires": ("bee>=1.2,<3",)})
    install("bee", version=version)
    assert names(find()) == ["ant", "bee"]


@pytest.mark.parametrize("version", ["1.1", "3.0", "1.2rc1"])
def test_a_version_that_does_not_fit_is_told(install: Install, version: str) -> None:
    """The message names what is asked for and what is installed."""
    install("ant", fields={"requires": ("bee>=1.2,<3",)})
    install("bee", version=version, distribution="acme-bee")
    assert complaint("ant") == f"it requires 'bee>=1.2,<3', but acme-bee {version} is installed"


def test_a_version_that_nobody_gives_is_told(install: Install, install_bare: Install, site: Path) -> None:
    """A mount of a folder that no distribution ships has no version to compare."""
    install("ant", fields={"requires": ("bee>=1",)})
    (site / "hive" / "migrations").mkdir(parents=True)
    text = complaint("ant", mounts={"bee": {"migrations": "hive:migrations"}})
    assert text == "it requires 'bee>=1', but no distribution gives a version of it"


def test_corehost_itself_cannot_be_required(install: Install) -> None:
    """The version of corehost is for the distribution's dependencies to ask for."""
    install("ant", fields={"requires": ("corehost>=9",)})
    assert "name corehost in the distribution's dependencies" in complaint("ant")


def test_the_core_may_be_required(install: Install) -> None:
    """A plugin may insist on a host that has a branch of its own."""
    install("ant", fields={"requires": ("core",)})
    install("shop", entry_points={})
    assert "'core', which is not installed" in complaint("ant")
    assert names(find(core="shop:migrations")) == ["ant", "core"]


def test_what_comes_after_something_that_is_not_installed_is_fine(install: Install) -> None:
    """`after` asks for nothing to be there."""
    install("ant", fields={"after": ("nobody",)})
    assert names(find()) == ["ant"]


def test_a_requirement_that_is_wrong_is_told_once(install: Install) -> None:
    """What is wrong is listed; what merely requires it is not."""
    install("ant", fields={"requires": ("bee",)})
    install("bee", fields={"schema": "pg_bee"})
    assert [problem.where.branch for problem in refusal().problems] == ["bee"]
    assert row(survey(), "ant").state == "skipped"


@pytest.mark.parametrize("field", ["requires", "after"])
def test_a_cycle_is_drawn(install: Install, field: str) -> None:
    """Plugins that wait for each other are named in the order of their waiting."""
    install("ant", fields={field: ("bee",)})
    install("bee", fields={"requires": ("cat",)})
    install("cat", fields={"after": ("ant",)})
    (problem,) = refusal().problems
    assert problem.message == "plugins wait for each other: ant -> bee -> cat -> ant"


def test_a_plugin_that_waits_for_itself_is_a_cycle(install: Install) -> None:
    """The smallest cycle has one member."""
    install("ant", fields={"requires": ("ant",)})
    assert "ant -> ant" in complaint("ant")


def test_every_cycle_is_told(install: Install) -> None:
    """Two cycles that have nothing to do with each other are two problems."""
    for one, other in (("ant", "bee"), ("cat", "dog")):
        install(one, fields={"requires": (other,)})
        install(other, fields={"requires": (one,)})
    assert [problem.where.branch for problem in refusal().problems] == ["ant", "cat"]


def test_a_cycle_through_a_plugin_without_tables_is_one(install: Install) -> None:
    """Order matters to hooks too, so a plugin needs no tables to be part of a cycle."""
    install("ant", fields={"requires": ("bee",), "migrations": None})
    install("bee", fields={"requires": ("ant",)})
    assert "ant -> bee -> ant" in complaint("bee")


def test_two_distributions_that_claim_one_name_are_both_named(install: Install) -> None:
    """Neither of two rivals is taken: which one is a matter of chance."""
    install("zebra", version="1.0")
    install("other", version="2.0", entry_points={PLUGINS: {"zebra": "other.corehost_plugin"}})
    (problem,) = refusal().problems
    assert "2 entry points claim one name" in problem.message
    assert "distribution other 2.0" in problem.message
    assert "distribution zebra 1.0" in problem.message


def test_rivals_are_not_imported(install: Install) -> None:
    """No code runs of plugins of which at most one is wanted."""
    install("zebra", spec_source=None, files={"corehost_plugin.py": "raise KeyboardInterrupt"})
    install("other", entry_points={PLUGINS: {"zebra": "other.corehost_plugin"}})
    assert [found.state for found in survey().found] == ["wrong", "wrong"]


def test_a_plugin_and_a_migrations_entry_point_are_rivals_too(install: Install) -> None:
    """The name is what counts, not the way in which it is claimed."""
    install("zebra")
    install("other", entry_points={MIGRATIONS: {"Zebra": "other:migrations"}})
    assert "2 entry points claim one name" in str(refusal())


def test_a_disabled_name_has_no_rivals(install: Install) -> None:
    """Disabling a name settles who may have it."""
    install("ant")
    install("zebra")
    install("other", entry_points={PLUGINS: {"zebra": "other.corehost_plugin"}})
    assert names(find(disabled=["zebra"])) == ["ant"]


def test_the_same_distribution_seen_twice_is_no_rival(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """A distribution that lies in two places of the path is the one that comes first, as in imports."""
    install("zebra", version="1.0")
    first = tmp_path / "first"
    first.mkdir()
    on_path(first)
    install("zebra", version="2.0", site=first)
    (branch,) = find().branches
    assert branch.origin.version == "2.0"
    assert branch.script_location.is_relative_to(first)


def test_branches_that_share_a_version_table_are_all_named(install: Install) -> None:
    """Two lineages in one version table would destroy each other."""
    install("ant", fields={"schema": "animals", "version_table": "versions"})
    install("bee", fields={"schema": "animals", "version_table": "versions"})
    (problem,) = refusal().problems
    assert "share the version table animals.versions" in problem.message
    assert "branch 'ant', distribution ant 1.0" in problem.message
    assert "branch 'bee', distribution bee 1.0" in problem.message


def test_branches_may_share_a_schema(install: Install) -> None:
    """In one schema each branch has a version table of its own."""
    install("ant", fields={"schema": "animals"})
    install("bee", fields={"schema": "animals"})
    assert names(find()) == ["ant", "bee"]


def test_a_plugin_that_takes_the_version_table_of_the_core_is_the_wrong_one(install: Install) -> None:
    """The host's own branch is not blamed for a plugin."""
    install("shop", entry_points={})
    install("ant", fields={"schema": "core", "version_table": "alembic_version"})
    assert names(find(core="shop:migrations", on_plugin_error="skip")) == ["core"]


def test_skipping_leaves_out_what_is_wrong_and_what_requires_it(install: Install) -> None:
    """The rest of the host goes on without them, and knows the reasons."""
    install("ant", fields={"requires": ("bee",)})
    install("bee", fields={"requires": ("cat",)})
    install("cat", fields={"schema": "pg_cat"})
    install("dog", fields={"after": ("cat",)})
    discovery = find(on_plugin_error="skip")
    assert names(discovery) == ["dog"]
    assert [(skipped.plugin, skipped.reason) for skipped in discovery.skipped] == [
        ("ant", "it requires 'bee', which is left out"),
        ("bee", "it requires 'cat', which is left out"),
        ("cat", "the plugin's PluginSpec is wrong: schema 'pg_cat' is reserved by PostgreSQL"),
    ]


def test_what_is_skipped_is_logged(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has to ask why a plugin is missing."""
    install("ant")
    install("cat", fields={"schema": "pg_cat"})
    with caplog.at_level(logging.WARNING, "corehost"):
        find(on_plugin_error="skip")
    assert "plugin 'cat' is left out: the plugin's PluginSpec is wrong" in caplog.text


def test_what_is_skipped_has_no_hooks(install: Install) -> None:
    """A plugin that is left out is left out of the hook calls too."""
    hooks = "@corehost.hookimpl\ndef corehost_startup(host): return 1"
    install("ant", hooks=hooks)
    install("bee", hooks=hooks, fields={"requires": ("nobody",)})
    discovery = find(on_plugin_error="skip")
    assert discovery.manager.hook.corehost_startup(host=None) == [1]
    assert discovery.order == ("ant",)


def test_every_plugin_of_a_cycle_is_skipped(install: Install) -> None:
    """None of them can come first."""
    install("ant", fields={"requires": ("bee",)})
    install("bee", fields={"after": ("ant",)})
    install("cat")
    assert names(find(on_plugin_error="skip")) == ["cat"]
