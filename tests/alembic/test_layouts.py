"""How packages lay their revision files out, from what a mount names to the executed file."""

from __future__ import annotations

import compileall
import shutil
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
from support.finding import PLUGINS, find
from support.packages import spec, write_plugin
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


def mounted(migrations: str | list[str], **given: object) -> Branch:
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


def test_several_version_locations_are_one_tree(lay: Lay) -> None:
    """A list names folders that nothing but their revisions binds, of one package or of several."""
    lay("layout_h/migrations/versions/r1.py")
    lay("layout_h/more/r2.py")
    lay("layout_l/migrations/versions/r3.py")
    places = ["layout_h:migrations", "layout_h:more", "layout_l:migrations/versions"]
    assert upgraded(mounted(places)) == ["r1", "r2", "r3"]


def test_a_plugin_may_name_several_version_locations(site: Path, lay: Lay) -> None:
    """PluginSpec takes what a mount takes."""
    places = ("layout_m:one", "layout_m:two")
    write_plugin(
        site,
        "layout_m",
        spec_source=spec("layout_m", migrations=places),
        entry_points={PLUGINS: {"layout_m": "layout_m.corehost_plugin"}},
    )
    lay("layout_m/one/r1.py")
    lay("layout_m/two/r2.py")
    (branch,) = find().branches
    assert upgraded(branch) == ["r1", "r2"]


@pytest.mark.parametrize("migrations", [[], ["layout_h:one", 2], 3])
def test_what_names_no_folder_is_refused(migrations: object) -> None:
    """An empty list would be a branch without a place."""
    with pytest.raises(ConfigurationError, match=r"mounts\.shop\.migrations"):
        Settings(mounts={"shop": {"migrations": migrations}})


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


@pytest.fixture
def cached(site: Path, lay: Lay) -> Path:
    """The cache of a folder with one revision that has its source, and one that has not."""
    lay("layout_j/migrations/versions/r1.py")
    lay("layout_j/migrations/versions/r2.py")
    versions = site / "layout_j/migrations/versions"
    assert compileall.compile_dir(versions, quiet=2)
    (versions / "r1.py").unlink()
    return versions / "__pycache__"


@pytest.mark.usefixtures("cached")
def test_compiled_files_in_a_cache_are_run_where_they_are_asked_for() -> None:
    """Alembic's option ``sourceless``: what Python has compiled counts where its source is gone."""
    assert upgraded(mounted("layout_j:migrations", options={"sourceless": "true"})) == ["r1", "r2"]


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("options", [{}, {"sourceless": "false"}])
def test_compiled_files_in_a_cache_are_left_alone(options: dict[str, str]) -> None:
    """They may be what is left of a revision that is gone."""
    assert [one.revision for one in read_tree(mounted("layout_j:migrations", options=options))] == ["r2"]


def test_compiled_files_of_another_python_are_refused(cached: Path) -> None:
    """Alembic would try them, and fail with a bad magic number."""
    (cached.parent / "r2.py").unlink()
    for file in cached.glob("*.pyc"):
        file.rename(file.with_name(f"{file.name.partition('.')[0]}.cpython-27.pyc"))
    with pytest.raises(RevisionFileError, match="is of another Python") as caught:
        read_tree(mounted("layout_j:migrations", options={"sourceless": "true"}))
    assert "compile it" in (caught.value.hint or "")


def test_a_zipped_package_is_run(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is taken out of the zip file; what the revisions import comes from there as ever."""
    source = header("r1") + "\nfrom layout_k.words import upgraded\n\ndef upgrade():\n    return upgraded\n"
    with zipfile.ZipFile(site / "shop.zip", "w") as archive:
        archive.writestr("layout_k/__init__.py", "")
        archive.writestr("layout_k/words.py", "upgraded = 'upgraded'")
        archive.writestr("layout_k/migrations/versions/r1.py", source)
    monkeypatch.syspath_prepend(site / "shop.zip")
    assert upgraded(mounted("layout_k:migrations")) == ["r1"]
