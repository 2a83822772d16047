"""Branches that the host mounts, and keys of plugins that it overrides."""

from __future__ import annotations

import sys

import pytest

from support.finding import MIGRATIONS, Install, complaint, find, names, row, survey


def test_a_mount_gives_a_branch_without_a_hook(install_bare: Install) -> None:
    """The settings say what the package does not."""
    package = install_bare("okapi", version="3.1", files={"server/db/migrations/versions/0001.py": ""})
    mount = {"migrations": "okapi:server/db/migrations", "schema": "animals", "version_table": "versions"}
    (branch,) = find(mounts={"okapi_db": mount}).branches
    assert branch.name == "okapi_db"
    assert branch.script_location == package / "server" / "db" / "migrations"
    assert (branch.namespace.schema, branch.namespace.version_table) == ("animals", "versions")


def test_a_mount_belongs_to_the_distribution_that_ships_its_folder(install_bare: Install) -> None:
    """The branch's version is known although no entry point names it."""
    install_bare("okapi", distribution="acme-animals", version="3.1")
    (branch,) = find(mounts={"okapi": {"migrations": "okapi:migrations"}}).branches
    assert (branch.origin.distribution, branch.origin.version) == ("acme-animals", "3.1")
    assert branch.origin.entry_point == "mounts.okapi"


def test_a_mount_carries_its_arguments_and_options(install_bare: Install) -> None:
    """What the revisions of a foreign package ask their environment for."""
    install_bare("okapi")
    mount = {
        "migrations": "okapi:migrations",
        "x_arguments": {"local-srid": "2154"},
        "options": {"some_option": "value"},
        "preload": ["okapi.models"],
        "recursive": True,
    }
    (branch,) = find(mounts={"okapi": mount}).branches
    assert branch.x_arguments == {"local-srid": "2154"}
    assert branch.options == {"some_option": "value"}
    assert (branch.preload, branch.recursive) == (("okapi.models",), True)


def test_a_mount_does_not_import_its_package(install_bare: Install) -> None:
    """A foreign package is left alone."""
    install_bare("okapi")
    find(mounts={"okapi": {"migrations": "okapi:migrations"}})
    assert "okapi" not in sys.modules


def test_a_mount_overrides_keys_of_the_plugin_of_that_name(install: Install) -> None:
    """What it does not name stays as the plugin says."""
    install("zebra", fields={"after": ("okapi",), "target": "stable@head"}, version="2.0")
    (branch,) = find(mounts={"zebra": {"schema": "animals", "target": "heads"}}).branches
    assert (branch.namespace.schema, branch.namespace.version_table) == ("animals", "alembic_version_zebra")
    assert (branch.target, branch.after, branch.origin.version) == ("heads", ("okapi",), "2.0")


def test_a_plugin_with_overrides_stays_a_plugin(install: Install) -> None:
    """Its hooks stay, and it is shown once."""
    install("zebra")
    discovery = find(mounts={"zebra": {"schema": "animals"}})
    assert row(discovery, "zebra").kind == "plugin"
    assert discovery.manager.has_plugin("zebra")


def test_a_mount_overrides_a_migrations_entry_point_too(install_bare: Install) -> None:
    """Branches without a hook can be given what only a mount can say."""
    install_bare("okapi", entry_points={MIGRATIONS: {"okapi": "okapi:migrations"}})
    (branch,) = find(mounts={"okapi": {"recursive": True}}).branches
    assert branch.recursive


def test_an_overridden_requirement_counts(install: Install) -> None:
    """The host may take a requirement away."""
    install("zebra", fields={"requires": ("nobody",)})
    assert names(find(mounts={"zebra": {"requires": []}})) == ["zebra"]


def test_a_mount_without_migrations_is_told_what_is_missing(install: Install) -> None:
    """It overrides nothing, and is nothing by itself; a misspelt name is suggested."""
    install("accounts")
    text = complaint("acounts", mounts={"acounts": {"schema": "x"}})
    assert text == "it has no migrations, and no such plugin is installed; did you mean 'accounts'?"


@pytest.mark.parametrize("schema", ["pg_x", "corehost"])
def test_an_override_that_is_wrong_is_named_as_such(install: Install, schema: str) -> None:
    """The mistake is the host's, not the plugin's."""
    install("zebra")
    assert "mounts.zebra is wrong: " in complaint("zebra", mounts={"zebra": {"schema": schema}})


def test_a_disabled_mount_is_shown_as_such() -> None:
    """A mount is switched off by its name."""
    found = row(survey(mounts={"okapi": {"migrations": "okapi:migrations"}}, disabled=["okapi"]), "okapi")
    assert (found.kind, found.state) == ("mount", "disabled")
