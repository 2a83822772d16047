"""Where ``"package:folder"`` leads."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from corehost import PluginError
from corehost.discovery import locate, revision_folders

Paths = Callable[[Path], None]
EXTENDING = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


@pytest.fixture(autouse=True)
def _on_path(site: Path, on_path: Paths) -> None:
    on_path(site)


def package(folder: Path, init: str = "raise RuntimeError('imported')") -> Path:
    """A package that must not be imported."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(init)
    return folder


def folder(path: Path) -> Path:
    """An empty folder."""
    path.mkdir(parents=True)
    return path


def reason(location: str) -> str:
    """Why a location is refused."""
    with pytest.raises(PluginError) as caught:
        locate(location)
    return str(caught.value)


def test_a_folder_of_a_package_is_found_without_importing_it(site: Path) -> None:
    """The package's own code does not run."""
    expected = folder(package(site / "shop") / "migrations")
    assert locate("shop:migrations") == expected
    assert "shop" not in sys.modules


def test_a_folder_may_lie_deep(site: Path) -> None:
    """The folder part is a path with slashes, packages or not."""
    expected = folder(package(site / "shop") / "server" / "db" / "migrations")
    assert locate("shop:server/db/migrations") == expected


def test_a_package_may_be_dotted(site: Path) -> None:
    """Neither parent nor child is imported."""
    package(site / "shop")
    expected = folder(package(site / "shop" / "db") / "deep" / "migrations")
    assert locate("shop.db:deep/migrations") == expected


@pytest.mark.parametrize("location", ["shop.migrations", "shop.migrations:"])
def test_a_package_alone_is_its_own_folder(site: Path, location: str) -> None:
    """The folder part may be left out."""
    package(site / "shop")
    expected = package(site / "shop" / "migrations")
    assert locate(location) == expected


def test_a_part_of_a_package_needs_no_init_file(site: Path) -> None:
    """A dotted part may be a plain folder."""
    expected = folder(package(site / "shop") / "db" / "migrations")
    assert locate("shop.db.migrations") == expected


def test_a_package_that_is_imported_already_is_found(site: Path) -> None:
    """Its own path counts then."""
    expected = folder(package(site / "shop", "") / "migrations")
    importlib.import_module("shop")
    assert locate("shop:migrations") == expected


def test_of_a_namespace_package_the_first_place_that_has_the_folder_counts(
    site: Path, tmp_path: Path, on_path: Paths
) -> None:
    """A namespace is spread over the path, and not every place has migrations."""
    folder(tmp_path / "first" / "acme" / "models")
    on_path(tmp_path / "first")
    expected = folder(site / "acme" / "migrations")
    folder(tmp_path / "last" / "acme" / "migrations")
    sys.path.append(str(tmp_path / "last"))
    assert locate("acme:migrations") == expected


def test_a_package_in_a_namespace_is_found(site: Path, tmp_path: Path, on_path: Paths) -> None:
    """The dotted part lies in one of the namespace's places."""
    folder(tmp_path / "first" / "acme" / "shop")
    on_path(tmp_path / "first")
    package(tmp_path / "second" / "acme" / "users")
    on_path(tmp_path / "second")
    expected = folder(package(site / "acme" / "billing") / "migrations")
    assert locate("acme.billing:migrations") == expected


def test_a_package_hides_a_plain_folder_of_its_name(site: Path, tmp_path: Path, on_path: Paths) -> None:
    """As in imports, a folder with an init file counts before one without, wherever they lie."""
    folder(tmp_path / "first" / "acme" / "billing" / "migrations")
    on_path(tmp_path / "first")
    expected = folder(package(site / "acme" / "billing") / "migrations")
    assert locate("acme.billing:migrations") == expected


def test_an_old_namespace_package_is_imported_for_its_places(
    site: Path, tmp_path: Path, on_path: Paths
) -> None:
    """With pkgutil's namespaces only the import tells where the other parts are."""
    package(tmp_path / "first" / "acme", EXTENDING)
    on_path(tmp_path / "first")
    package(site / "acme", EXTENDING)
    expected = folder(package(site / "acme" / "billing") / "migrations")
    assert locate("acme.billing:migrations") == expected
    assert "acme.billing" not in sys.modules


def test_an_old_namespace_package_that_does_not_import_is_told(
    site: Path, tmp_path: Path, on_path: Paths
) -> None:
    """Its exception is named."""
    package(site / "acme", EXTENDING + "raise SystemExit('no')")
    assert "the namespace package 'acme' does not import: SystemExit: no" in reason("acme.billing:migrations")


class MappingFinder:
    """What setuptools writes for an editable install whose package lies under another name."""

    def __init__(self, **mapping: Path):
        self.mapping = mapping

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if (where := self.mapping.get(name.replace(".", "_"))) is None:
            return None
        return importlib.util.spec_from_file_location(
            name, where / "__init__.py", submodule_search_locations=[str(where)]
        )


def test_an_editable_install_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import hook knows where the package is; the path does not."""
    source = package(tmp_path / "project" / "lib")
    expected = folder(source / "migrations")
    monkeypatch.setattr(sys, "meta_path", [MappingFinder(shop=source), *sys.meta_path])
    assert locate("shop:migrations") == expected


def test_an_editable_install_in_a_namespace_is_found(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import hook may know a part of a namespace that lies elsewhere."""
    folder(site / "acme" / "other")
    source = package(tmp_path / "project" / "lib")
    expected = folder(source / "migrations")
    monkeypatch.setattr(sys, "meta_path", [MappingFinder(acme_shop=source), *sys.meta_path])
    assert locate("acme.shop:migrations") == expected


def test_a_relative_path_entry_gives_an_absolute_folder(
    site: Path, tmp_path: Path, on_path: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder may change afterwards."""
    expected = folder(package(tmp_path / "here" / "shop") / "migrations")
    monkeypatch.chdir(tmp_path)
    on_path(Path("here"))
    assert locate("shop:migrations") == expected


def test_a_package_that_is_not_installed_is_told() -> None:
    """The first part is looked for on the path."""
    assert reason("nowhere_at_all:migrations") == "the package 'nowhere_at_all' is not installed"


def test_a_part_that_is_not_there_is_told_with_a_suggestion(site: Path) -> None:
    """The longest name that fails is told."""
    folder(package(site / "shop") / "database")
    text = reason("shop.databases.migrations")
    assert text == "there is no package 'shop.databases'; did you mean 'database'?"


def test_a_folder_that_is_not_there_is_told_with_a_suggestion(site: Path) -> None:
    """A misspelt folder is found among its neighbours."""
    folder(package(site / "shop") / "db" / "migrations")
    text = reason("shop:db/migration")
    assert f"the folder 'db/migration' of 'shop:db/migration' is not there; looked in {site}/shop" in text
    assert text.endswith("did you mean 'migrations'?")


def test_a_module_has_no_folders(site: Path) -> None:
    """A single file is not a package."""
    (site / "shop.py").write_text("raise RuntimeError")
    assert reason("shop:migrations") == "'shop' is a module, not a package, and has no folders"


def test_a_file_is_no_folder(site: Path) -> None:
    """The location must be a folder, not a revision file."""
    (package(site / "shop") / "migrations").write_text("")
    assert "is not there" in reason("shop:migrations")


@pytest.fixture
def archive(site: Path, on_path: Paths) -> Path:
    """A zip file on sys.path with a package that has migrations, deep and not."""
    path = site / "shop.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("shop/__init__.py", "")
        opened.writestr("shop/migrations/0001.py", "first")
        opened.writestr("shop/plugins/__init__.py", "")
        opened.writestr("shop/plugins/users/__init__.py", "")
        opened.writestr("shop/plugins/users/db/versions/0001.py", "users'")
    on_path(path)
    return path


@pytest.mark.parametrize(
    ("location", "file", "content"),
    [
        ("shop:migrations", "0001.py", "first"),
        ("shop:plugins/users/db", "versions/0001.py", "users'"),
        ("shop.plugins.users:db", "versions/0001.py", "users'"),
    ],
)
@pytest.mark.usefixtures("archive")
def test_a_folder_is_taken_out_of_a_zip_file(location: str, file: str, content: str) -> None:
    """It is on disk while this process lives, for nobody but this user, without importing the package."""
    found = locate(location)
    assert (found / file).read_text() == content
    assert found == locate(location)
    assert "shop" not in sys.modules


def test_another_zip_file_of_that_name_is_another_one(archive: Path) -> None:
    """What an upgrade has put in its place is taken out anew."""
    before = locate("shop:migrations")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("shop/migrations/0002.py", "second")
    importlib.invalidate_caches()
    assert sorted(file.name for file in locate("shop:migrations").iterdir()) == ["0001.py", "0002.py"]
    assert sorted(file.name for file in before.iterdir()) == ["0001.py"]


def test_what_was_taken_out_is_removed_at_the_end(archive: Path) -> None:
    """Nothing is left behind, and a forked child that ends takes nothing from its parent."""
    code = """
        import os, sys
        from corehost.discovery.locate import locate
        found = locate("shop:migrations")
        if os.fork() == 0:
            sys.exit()
        os.wait()
        print(found, found.is_dir())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    env = {**os.environ, "PYTHONPATH": str(archive)}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    place, was_there = said.split()
    assert was_there == "True"
    assert not Path(place).exists()


@pytest.mark.usefixtures("archive")
def test_a_folder_that_the_zip_file_has_not_is_told() -> None:
    """The zip file stands where the folders of other packages would."""
    assert "is not there; looked in" in reason("shop:migration")
    assert "shop.zip/shop" in reason("shop:migration")


def test_an_absolute_folder_is_refused(site: Path) -> None:
    """The folder lies in its package, or it would differ from machine to machine."""
    package(site / "shop")
    assert "is not inside its package" in reason("shop:/srv/migrations")


def test_a_name_that_is_none_is_told() -> None:
    """An empty package cannot be looked up."""
    assert "the package '' cannot be looked up: ValueError" in reason(":migrations")


def test_the_revision_files_lie_in_versions_where_that_is_a_folder(tmp_path: Path) -> None:
    """Alembic's own layout, and the flat one."""
    folder(tmp_path / "a" / "versions")
    folder(tmp_path / "b")
    assert revision_folders(tmp_path / "a") == (tmp_path / "a" / "versions",)
    assert revision_folders(tmp_path / "b") == (tmp_path / "b",)
