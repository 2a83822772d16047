"""What discovery makes of plugins that are right."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from corehost import Settings
from corehost.core.branch import Origin
from corehost.core.namespace import Namespace
from corehost.discovery import discover
from support.finding import MIGRATIONS, PLUGINS, Install, find, names, row
from support.packages import spec


def test_a_plugin_becomes_a_branch_of_its_name(install: Install) -> None:
    """An entry point whose module has the hook gives a branch named like it."""
    install("zebra")
    assert names(find()) == ["zebra"]


def test_the_groups_of_the_contract_are_those_looked_at_by_default(install: Install) -> None:
    """Without settings the groups are corehost.plugins and corehost.migrations."""
    install("zebra", entry_points={"corehost.plugins": {"zebra": "zebra.corehost_plugin"}})
    install("okapi", entry_points={"corehost.migrations": {"okapi": "okapi:migrations"}})
    assert {"zebra", "okapi"} <= set(names(discover(Settings())))


def test_several_groups_are_looked_at_together(install: Install) -> None:
    """plugin_groups may name more than one group."""
    install("zebra", entry_points={"other.plugins": {"zebra": "zebra.corehost_plugin"}})
    install("okapi")
    assert names(find(plugin_groups=[PLUGINS, "other.plugins"])) == ["okapi", "zebra"]


def test_an_origin_names_distribution_version_and_entry_point(install: Install) -> None:
    """The branch knows which installed distribution it came from, and by which entry point."""
    install("zebra", distribution="acme-zebra", version="2.5")
    (branch,) = find().branches
    assert branch.origin == Origin(
        distribution="acme-zebra",
        version="2.5",
        entry_point="tests.plugins: zebra = zebra.corehost_plugin",
    )


def test_schema_and_version_table_follow_the_name(install: Install) -> None:
    """By default the schema is named like the plugin, and the version table is Alembic's."""
    install("zebra")
    (branch,) = find().branches
    assert branch.namespace == Namespace(schema="zebra", version_table="alembic_version")


def test_a_schema_of_another_name_has_a_version_table_named_after_the_branch(install: Install) -> None:
    """Branches that share a schema do not share a version table."""
    install("zebra", fields={"schema": "animals"})
    (branch,) = find().branches
    assert branch.namespace == Namespace(schema="animals", version_table="alembic_version_zebra")


def test_the_locations_are_the_versions_folder_where_there_is_one(install: Install) -> None:
    """The named folder is the script location, its versions/ holds the revision files."""
    package = install("zebra")
    (branch,) = find().branches
    assert branch.script_location == package / "migrations"
    assert branch.locations == (package / "migrations" / "versions",)


def test_the_named_folder_may_hold_the_revision_files_itself(install: Install) -> None:
    """Without versions/ the named folder is the location."""
    package = install("zebra", fields={"migrations": "zebra:db"}, files={"db/0001.py": ""}, revisions={})
    (branch,) = find().branches
    assert branch.locations == (package / "db",)


def test_a_branch_carries_what_its_plugin_says(install: Install) -> None:
    """The fields of the PluginSpec arrive in the branch."""
    install(
        "zebra",
        fields={
            "version_table": "stripes",
            "after": ("okapi",),
            "target": "stable@head",
            "metadata": "zebra.models:metadata",
            "extensions": ("pg_trgm",),
            "recursive": True,
            "preload": ("zebra.types",),
        },
    )
    (branch,) = find().branches
    assert branch.namespace.version_table == "stripes"
    assert (branch.after, branch.target, branch.extensions) == (("okapi",), "stable@head", ("pg_trgm",))
    assert (branch.metadata, branch.recursive, branch.preload) == (
        "zebra.models:metadata",
        True,
        ("zebra.types",),
    )


def test_a_plugin_without_tables_is_found_and_has_no_branch(install: Install) -> None:
    """migrations=None is a plugin that only has hooks."""
    install("zebra", fields={"migrations": None})
    discovery = find(allow_empty=True)
    assert row(discovery, "zebra").state == "enabled"
    assert discovery.branches == ()


def test_an_entry_point_may_name_an_object_in_a_module(install: Install) -> None:
    """The hooks may be methods of an object instead of functions of a module."""
    source = f"""
import corehost
from corehost import PluginSpec

class Zebra:
    @corehost.hookimpl
    def corehost_register_plugin(self):
        return {spec("zebra")}

plugin = Zebra()
"""
    install("zebra", files={"hooks.py": source}, entry_points={PLUGINS: {"zebra": "zebra.hooks:plugin"}})
    assert names(find()) == ["zebra"]


def test_a_plugin_is_registered_under_its_name(install: Install) -> None:
    """pluggy knows each plugin by the name of its branch."""
    install("zebra")
    manager = find().manager
    assert manager.get_plugin("zebra") is sys.modules["zebra.corehost_plugin"]


def test_the_hooks_of_a_plugin_are_called_through_the_manager(install: Install) -> None:
    """What a plugin implements beside its registration is called."""
    install("zebra", hooks="@corehost.hookimpl\ndef corehost_startup(host): return host + 1")
    assert find().manager.hook.corehost_startup(host=1) == [2]


def test_a_migrations_entry_point_gives_a_branch_without_a_hook(install_bare: Install) -> None:
    """A package that knows nothing of corehost needs one line in its entry points."""
    package = install_bare("okapi", version="3.0", entry_points={MIGRATIONS: {"okapi": "okapi:migrations"}})
    (branch,) = find().branches
    assert (branch.name, branch.script_location) == ("okapi", package / "migrations")
    assert (branch.origin.distribution, branch.origin.version) == ("okapi", "3.0")


def test_the_name_of_a_migrations_entry_point_is_normalised(install_bare: Install) -> None:
    """Capitals, dashes and dots, which other groups use in names, become what a branch may be called."""
    install_bare("okapi", entry_points={MIGRATIONS: {"Acme.Okapi-DB": "okapi:migrations"}})
    assert names(find()) == ["acme_okapi_db"]


def test_a_package_with_migrations_only_is_not_imported(install_bare: Install) -> None:
    """Its folder is found without running any of its code."""
    install_bare(
        "okapi",
        files={"__init__.py": "raise RuntimeError"},
        entry_points={MIGRATIONS: {"okapi": "okapi:migrations"}},
    )
    assert names(find()) == ["okapi"]


def test_metadata_and_preload_are_not_imported(install: Install) -> None:
    """What only a step needs is named, and left alone."""
    install(
        "zebra",
        fields={"metadata": "zebra.models:metadata", "preload": ("zebra.models",)},
        files={"models.py": "raise RuntimeError"},
    )
    assert names(find()) == ["zebra"]


def test_an_entry_point_that_is_declared_twice_over_is_one(install: Install, site: Path) -> None:
    """A distribution that repeats a line of its entry points has one plugin."""
    install("zebra")
    entry_points = site / "zebra-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text(entry_points.read_text() + "zebra = zebra.corehost_plugin\n")
    assert names(find()) == ["zebra"]


def test_the_order_has_every_plugin_behind_what_it_needs(install: Install) -> None:
    """Requirements and after come first, ties are by name, the core is before all."""
    install("ant", fields={"requires": ("zebra",)})
    install("bee", fields={"after": ("okapi",)})
    install("okapi")
    install("zebra", fields={"migrations": None})
    install("shop", entry_points={})
    assert find(core="shop:migrations").order == ("core", "okapi", "bee", "zebra", "ant")


def test_a_plugin_without_tables_hands_its_needs_on(install: Install) -> None:
    """A branch comes after the branches that a plugin without tables, which it requires, comes after."""
    install("ant", fields={"requires": ("bee",)})
    install("bee", fields={"migrations": None, "requires": ("cat",)})
    install("cat", fields={"migrations": None, "after": ("zebra",)})
    install("zebra")
    ant, _ = find().branches
    assert ant.after == ("zebra",)


def test_every_folder_of_the_path_is_looked_at(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """Plugins may be installed in several places."""
    install("zebra")
    second = tmp_path / "second"
    second.mkdir()
    on_path(second)
    install("okapi", site=second)
    assert names(find()) == ["okapi", "zebra"]


def test_the_order_of_the_path_changes_nothing(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """Distinct distributions give the same branches, rows and order, wherever they come on the path."""
    seen = []
    for folders in (["one", "two", "three"], ["three", "one", "two"]):
        for folder in folders:
            if not (tmp_path / folder).exists():
                (tmp_path / folder).mkdir()
                install(f"in_{folder}", site=tmp_path / folder, fields={"after": ("in_two",)})
            on_path(tmp_path / folder)
        discovery = find(on_plugin_error="skip")
        seen.append((discovery.branches, discovery.found, discovery.order, discovery.skipped))
    assert seen[0] == seen[1]
    assert discovery.order == ("in_one", "in_three")
