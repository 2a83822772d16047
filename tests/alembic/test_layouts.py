"""How packages lay their revision files out, from what a mount names to the executed file."""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from corehost import ConfigurationError, Settings
from corehost.alembic.files import read_tree
from corehost.alembic.scripts import script_directory
from corehost.core.branch import Branch
from corehost.core.errors import RevisionFileError
from corehost.core.tree import BranchTree
from support.finding import complaint, find
from support.revision_files import header

UPGRADE = "\n\ndef upgrade():\n    return 'upgraded'\n"
Lay = Callable[[str], None]


@pytest.fixture
def lay(site: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Writes a revision file at a path below what is installed, as the child of the one before."""
    monkeypatch.syspath_prepend(site)
    written: list[str] = []

    def write(path: str) -> None:
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(header(file.stem, written[-1] if written else None) + UPGRADE)
        written.append(file.stem)

    return write


def mounted(migrations: str, **given: object) -> Branch:
    """The branch that a mount of that place gives."""
    (branch,) = find(mounts={"shop": {"migrations": migrations, **given}}).branches
    return branch


def upgraded(branch: Branch) -> list[str]:
    """The revisions of a branch, in the order of their names, each of which has been executed."""
    tree = BranchTree(branch, read_tree(branch))
    scripts = script_directory(tree)
    for revision in tree.revisions:
        assert scripts.get_revision(revision).module.upgrade() == "upgraded"
    return sorted(tree.revisions)


@pytest.mark.parametrize(
    ("folder", "migrations"),
    [
        ("layout_a/migrations/versions", "layout_a:migrations"),
        ("layout_b/migrations", "layout_b:migrations"),
        ("layout_c/plugins/users/migrations/versions", "layout_c.plugins.users:migrations"),
        ("layout_d/plugins/users/migrations/versions", "layout_d:plugins/users/migrations"),
    ],
    ids=["versions", "the files themselves", "package in a package", "folder deep in a package"],
)
@pytest.mark.parametrize("namespace", [False, True], ids=["packages", "namespace packages"])
def test_a_layout_is_run(site: Path, lay: Lay, folder: str, migrations: str, namespace: bool) -> None:
    """Wherever the files lie, and whether or not the folders above have an ``__init__.py``."""
    lay(f"{folder}/r1.py")
    lay(f"{folder}/r2.py")
    if not namespace:
        for above in (site / folder).relative_to(site).parents:
            if above.name and above.name != "migrations":
                (site / above / "__init__.py").touch()
    assert upgraded(mounted(migrations)) == ["r1", "r2"]


def test_version_locations_inside_one_folder_are_run(lay: Lay) -> None:
    """A folder a year, or a folder a phase: ``recursive`` makes them one tree."""
    lay("layout_e/migrations/versions/2025/r1.py")
    lay("layout_e/migrations/versions/2026/expand/r2.py")
    assert upgraded(mounted("layout_e:migrations", recursive=True)) == ["r1", "r2"]


def test_version_locations_without_recursive_are_refused(lay: Lay) -> None:
    """A folder whose revisions all lie deeper would be a branch with nothing to do."""
    lay("layout_f/migrations/versions/2025/r1.py")
    lay("layout_f/migrations/versions/2026/r2.py")
    with pytest.raises(RevisionFileError, match="but 2 in folders inside it") as caught:
        read_tree(mounted("layout_f:migrations"))
    assert caught.value.hint == "say recursive = true"


def test_an_empty_folder_is_a_tree_without_revisions(site: Path, lay: Lay) -> None:
    """A plugin may not have one yet; modules in folders inside it are none."""
    lay("layout_g/migrations/versions/shared/words.py")
    words = site / "layout_g/migrations/versions/shared/words.py"
    words.write_text("revision = 'a word that happens to be there'\n")
    assert read_tree(mounted("layout_g:migrations")) == ()


def test_a_list_of_folders_is_refused() -> None:
    """A branch has one place; several in one package are nested folders, or mounts of their own."""
    with pytest.raises(ConfigurationError, match=r"mounts\.shop\.migrations") as caught:
        Settings(mounts={"shop": {"migrations": ["layout_h:one", "layout_h:two"]}})
    assert "text" in str(caught.value)


def test_compiled_files_beside_no_source_are_run(site: Path, lay: Lay) -> None:
    """What Alembic reads with ``sourceless``: ``.pyc`` files as ``compileall -b`` writes them."""
    lay("layout_i/migrations/versions/r1.py")
    lay("layout_i/migrations/versions/r2.py")
    versions = site / "layout_i/migrations/versions"
    assert compileall.compile_dir(versions, legacy=True, quiet=2)
    for source in versions.glob("*.py"):
        source.unlink()
    shutil.rmtree(versions / "__pycache__", ignore_errors=True)
    assert upgraded(mounted("layout_i:migrations")) == ["r1", "r2"]


def test_compiled_files_in_a_cache_are_refused_where_they_are_asked_for(site: Path, lay: Lay) -> None:
    """With ``sourceless`` Alembic takes those of any Python; here they have to lie in the folder itself."""
    lay("layout_j/migrations/versions/r1.py")
    source = site / "layout_j/migrations/versions/r1.py"
    cache = source.parent / "__pycache__"
    py_compile.compile(str(source), str(cache / f"r1.{sys.implementation.cache_tag}.pyc"))
    source.unlink()
    with pytest.raises(RevisionFileError, match="what is in __pycache__ is not read") as caught:
        read_tree(mounted("layout_j:migrations", options={"sourceless": "true"}))
    assert "compileall -b" in (caught.value.hint or "")


def test_a_zipped_package_is_refused(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic reads folders on disk, and so does corehost: one problem says so."""
    with zipfile.ZipFile(site / "shop.zip", "w") as archive:
        archive.writestr("layout_k/__init__.py", "")
        archive.writestr("layout_k/migrations/versions/r1.py", header("r1"))
    monkeypatch.syspath_prepend(site / "shop.zip")
    said = complaint("shop", mounts={"shop": {"migrations": "layout_k:migrations"}})
    assert "the package 'layout_k' is not in a folder on disk" in said
