"""Which trees a package has, where they lie, and how they are linked."""

from __future__ import annotations

import py_compile
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from corehost.core.errors import PluginError
from corehost.doctor import TreeReport, examine
from corehost.doctor.location import usable_name
from corehost.doctor.mount import as_toml
from support.examined import FIRST, codes, only_tree, package
from support.packages import create_table, revision_source

Tree = Callable[..., TreeReport]


def revisions(*ids: str) -> dict[str, str]:
    """A line of empty revisions by file name."""
    return {one: revision_source(one, before) for one, before in zip(ids, (None, *ids), strict=False)}


def test_a_folder_with_versions(tree: Tree) -> None:
    """The folder above versions is the one to mount, with revisions, heads, bases and labels counted."""
    report = tree({**revisions("a1", "a2"), "b1": revision_source("b1", "a1", branch_labels="side")})
    assert report.migrations == "guestbook:migrations"
    assert (report.revisions, report.heads, report.bases) == (3, ("a2", "b1"), ("a1",))
    assert report.labels == ("side",)


def test_revision_files_themselves(importable: Path) -> None:
    """Without a versions folder the mount names the folder of the files."""
    package(importable, {}, files={"alembic/a1.py": revision_source("a1")})
    assert only_tree(examine("guestbook")).migrations == "guestbook:alembic"


def test_nested_folders(importable: Path) -> None:
    """Revisions in folders below versions are read with recursive = true."""
    files = {f"db/versions/{one[0]}/{one}.py": text for one, text in revisions("a1", "b1").items()}
    package(importable, {}, files=files)
    report = only_tree(examine("guestbook"))
    assert report.mount == {"migrations": "guestbook:db", "recursive": True}
    assert (report.revisions, report.verdict) == (2, "hosts with")


def test_folders_that_are_linked_are_one_tree(importable: Path) -> None:
    """Folders of which one follows the other's revisions are mounted together, whatever lies between them."""
    ids = revisions("a1", "b1", "c1")
    files = {f"db/{one[0]}/{one}.py": text for one, text in ids.items()}
    package(importable, {}, files={**files, "db/models.py": "x = 1\n", "e/e1.py": revision_source("e1")})
    linked, alone = examine("guestbook").trees
    assert linked.mount == {"migrations": ("guestbook:db/a", "guestbook:db/b", "guestbook:db/c")}
    assert (linked.verdict, codes(linked), linked.revisions) == ("hosts", {"several-folders"}, 3)
    assert alone.mount == {"migrations": "guestbook:e"}
    assert 'migrations = ["guestbook:db/a", "guestbook:db/b", "guestbook:db/c"]' in as_toml(
        examine("guestbook")
    )


def test_revisions_beside_versions_are_missed(importable: Path) -> None:
    """A tree that no one folder gives is refused."""
    first, second = revisions("a1", "a2").values()
    package(importable, {}, files={"db/a1.py": first, "db/versions/a2.py": second})
    report = only_tree(examine("guestbook"))
    assert "split" in codes(report)
    assert report.verdict == "refuses"


def test_several_trees_have_names_of_their_own(importable: Path) -> None:
    """Trees that nothing links are told apart by their folders."""
    files = {f"{one}/migrations/versions/{one}.py": revision_source(one) for one in ("auth", "wiki")}
    package(importable, {}, files=files)
    assert [tree.name for tree in examine("guestbook").trees] == ["guestbook_auth", "guestbook_wiki"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my.Pkg-x", "my_pkg_x"),
        ("core", "db_core"),
        ("pg_x", "db_pg_x"),
        ("9", "db_9"),
        ("_", "db"),
        ("x" * 60, "x" * 40),
    ],
)
def test_names_are_usable(text: str, name: str) -> None:
    """A suggested name may be a branch's and a schema's."""
    assert usable_name(text) == name


def test_import_name_distribution_and_folder(importable: Path) -> None:
    """The same tree is found by import name, distribution, package:folder and each folder around it."""
    folder = package(importable)
    names = ["guestbook", "Guestbook", "guestbook:migrations", folder, folder / "migrations" / "versions"]
    found = [examine(str(name)) for name in names]
    assert {report.trees[0].migrations for report in found} == {"guestbook:migrations"}
    assert {(report.distribution, report.version) for report in found} == {("guestbook", "1.0")}
    assert [codes(report.trees[0]) for report in found] == [set()] * len(names)


def test_nothing_of_that_name() -> None:
    """A name that means nothing is an error that says so."""
    with pytest.raises(PluginError, match="no package 'nowhere_at_all'"):
        examine("nowhere_at_all")


def test_a_package_without_revisions(importable: Path) -> None:
    """A package without a tree is found, with none."""
    package(importable, {}, files={"models.py": "down = revision = 1\n"})
    report = examine("guestbook")
    assert report.trees == ()
    assert not report.hosts


def test_a_template_is_no_revision(importable: Path) -> None:
    """A module with the text of a revision in a string makes no tree."""
    text = revision_source("a1").replace('"""', "")
    package(importable, {}, files={"templates.py": f'NEW = """\n{text}\n"""\n'})
    assert examine("guestbook").trees == ()


def test_source_tree(tmp_path: Path) -> None:
    """A source tree is imported from its src folder, and not importable as long as it is not installed."""
    versions = tmp_path / "checkout" / "src" / "wiki" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "checkout" / "pyproject.toml").write_text('[project]\nname = "wiki"\nversion = "2.0"\n')
    (versions.parents[1] / "__init__.py").touch()
    (versions / "a1.py").write_text(revision_source("a1"))
    report = examine(str(tmp_path / "checkout"))
    assert (report.distribution, report.version) == ("wiki", "2.0")
    assert only_tree(report).migrations == "wiki:migrations"
    assert codes(only_tree(report)) == {"not-importable"}
    assert only_tree(report).verdict == "hosts"


def test_namespace_package(importable: Path) -> None:
    """Below a namespace package the branch is named after both."""
    package(
        importable,
        {},
        name="plugins",
        files={"wiki/db/versions/a1.py": revision_source("a1"), "wiki/__init__.py": ""},
    )
    (importable / "plugins" / "__init__.py").unlink()
    report = only_tree(examine("plugins.wiki"))
    assert (report.name, report.migrations) == ("plugins_wiki", "plugins.wiki:db")


def test_nothing_is_imported(importable: Path) -> None:
    """Neither the package nor a literal revision file is run."""
    package(
        importable,
        {"0001": FIRST["0001"] + "\nraise SystemExit\n"},
        files={"__init__.py": "raise SystemExit\n"},
    )
    assert only_tree(examine("guestbook")).verdict == "hosts"
    assert "guestbook" not in sys.modules


def test_header_that_is_not_literal(tree: Tree) -> None:
    """Such a file is run, which is told."""
    report = tree({"0001": "revision = '0' * 3\ndown_revision = None\ndef upgrade():\n    pass\n"})
    assert codes(report) == {"header-not-literal"}
    assert report.heads == ("000",)


def test_header_that_fails(tree: Tree) -> None:
    """Where running it fails that is the finding, and what is literal still counts."""
    source = "revision = 'a1'\ndown_revision = None\ndepends_on = 1 / 0\ndef upgrade():\n    pass\n"
    report = tree({"0001": source})
    assert codes(report) == {"header-not-literal", "header-fails"}
    assert report.verdict == "refuses"
    assert report.heads == ("a1",)


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("does-not-compile", {"a1": revision_source("a1"), "a2": "revision = 'a2'\ndown_revision = 'a1'\n("}),
        ("wrong-header", {"a1": revision_source("a1"), "helper": "x = 1\n"}),
        ("wrong-header", {"a1": "revision = 1\ndown_revision = None\ndef upgrade():\n    pass\n"}),
        ("wrong-header", {"a1": revision_source("a@1")}),
        ("duplicate-id", {"a1": revision_source("a1"), "b1": revision_source("a1")}),
        ("missing-parent", {"a2": revision_source("a2", "a1")}),
        ("graph", {"a1": revision_source("a1", "a2"), "a2": revision_source("a2", "a1")}),
        ("missing-dependency", {"a1": revision_source("a1", depends_on="elsewhere")}),
    ],
)
def test_what_corehost_refuses(tree: Tree, code: str, files: dict[str, str]) -> None:
    """What would keep a host from starting is an error, and no mount is printed for it."""
    report = tree(files)
    assert code in codes(report)
    assert report.verdict == "refuses"
    assert as_toml(examine("guestbook")) == ""


def test_long_ids_are_hosted(tree: Tree) -> None:
    """An id that Alembic's table has no room for is told of."""
    report = tree(revisions("a" * 33))
    assert codes(report) == {"long-id"}
    assert report.verdict == "hosts"


def test_sourceless(importable: Path) -> None:
    """A compiled revision without its source is one, and read without being run."""
    versions = package(importable) / "migrations" / "versions"
    source = versions / "0001.py"
    source.write_text(FIRST["0001"] + "\nraise SystemExit\n")
    py_compile.compile(str(source), cfile=str(versions / "0001.pyc"))
    source.unlink()
    report = only_tree(examine("guestbook"))
    assert codes(report) == {"sourceless"}
    assert report.heads == ("0001",)


@pytest.fixture
def archive(tmp_path: Path, site: Path) -> Path:
    """A zip file with the package in it, whose folder is nowhere else."""
    package(site)
    made = shutil.make_archive(str(tmp_path / "guestbook"), "zip", site)
    shutil.rmtree(site)
    return Path(made)


def test_a_wheel_is_judged_as_what_it_installs(archive: Path) -> None:
    """That it lies in a zip file now is no matter."""
    wheel = archive.rename(archive.with_suffix(".whl"))
    report = only_tree(examine(str(wheel)))
    assert codes(report) == {"not-importable"}
    assert (report.verdict, report.migrations, report.heads) == ("hosts", "guestbook:migrations", ("0001",))


def test_zipped(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is imported from a zip file is hosted."""
    monkeypatch.syspath_prepend(str(archive))
    report = only_tree(examine(str(archive)))
    assert codes(report) == {"zipped"}
    assert (report.verdict, report.migrations, report.heads) == ("hosts", "guestbook:migrations", ("0001",))


TWO_LINES = {
    "a1": revision_source("a1", branch_labels="expand"),
    "b1": revision_source("b1", depends_on="a1", branch_labels="contract"),
}
UNLINKED = {
    "a1": revision_source("a1", branch_labels="one"),
    "b1": revision_source("b1", branch_labels="two"),
}
ALTERNATIVES = {
    "a1": revision_source("a1", branch_labels="one", upgrade=create_table("users")),
    "b1": revision_source("b1", branch_labels="two", upgrade=create_table("users")),
}


@pytest.mark.parametrize(
    ("files", "code"),
    [(TWO_LINES, "several-heads"), (UNLINKED, "several-histories"), (ALTERNATIVES, "alternative-histories")],
)
def test_several_heads(tree: Tree, files: dict[str, str], code: str) -> None:
    """Linked lines, histories that nothing links, and alternatives of each other are told apart."""
    report = tree(files)
    assert codes(report) == {code}
    assert report.heads == ("a1", "b1")


def test_alternatives_are_left_to_choose(tree: Tree) -> None:
    """Of alternative histories none is chosen; the way to choose is printed."""
    report = tree(ALTERNATIVES)
    assert report.proposals == ('target = "one@head"  # or two@head',)
    assert "target" not in report.mount


def test_dependency_on_another_tree_of_the_package(importable: Path) -> None:
    """A tree that needs a revision of its neighbour requires that branch."""
    files = {
        "auth/versions/a1.py": revision_source("a1"),
        "wiki/versions/w1.py": revision_source("w1", depends_on="a1"),
    }
    package(importable, {}, files=files)
    _, wiki = examine("guestbook").trees
    assert codes(wiki) == {"dependency"}
    assert wiki.mount["requires"] == ["guestbook_auth"]


def test_dependency_on_another_distribution(importable: Path) -> None:
    """A revision of an installed package that nothing declares is found, and that is mounted as well."""
    package(importable, revisions("g1"))
    package(importable, {"w1": revision_source("w1", depends_on="g1")}, name="wiki")
    report = examine("wiki")
    assert only_tree(report).mount["requires"] == ["guestbook"]
    assert '[mounts.guestbook]\nmigrations = "guestbook:migrations"' in as_toml(report)


def test_entry_points_make_a_mount_needless(importable: Path) -> None:
    """A group that names the folder is what the host is told to ask for; its neighbours' too."""
    group = "shop.db.alembic"
    package(importable, revisions("g1"), entry_points={group: {"guest-book": "guestbook:migrations"}})
    later = {"w1": revision_source("w1", depends_on="g1")}
    package(importable, later, name="wiki", entry_points={group: {"wiki": "wiki:migrations"}})
    report = examine("wiki")
    assert (only_tree(report).group, only_tree(report).mount["requires"]) == (group, ["guest_book"])
    assert as_toml(report) == (
        f'migration_groups = ["corehost.migrations", "{group}"]\n\n[mounts.wiki]\nrequires = ["guest_book"]\n'
    )


def test_other_entry_points_do_not(importable: Path) -> None:
    """A console script, and a migration function, are no trees."""
    groups = {"console_scripts": {"guestbook": "guestbook:main"}, "x.migrations": {"a": "guestbook:main"}}
    package(importable, entry_points=groups)
    assert only_tree(examine("guestbook")).group is None


def test_a_plugin_needs_no_mount(importable: Path) -> None:
    """A distribution that is a plugin already is told of."""
    package(importable, entry_points={"corehost.plugins": {"guestbook": "guestbook.corehost_plugin"}})
    assert "plugin" in codes(only_tree(examine("guestbook")))


def test_missing_import_of_what_is_not_installed(site: Path) -> None:
    """In a package that is only on disk, a missing import is no reason to refuse."""
    folder = package(site, {"a1": revision_source("a1", head="import nowhere_at_all")})
    report = only_tree(examine(str(folder)))
    assert codes(report) == {"not-importable", "missing-import"}
    assert report.verdict == "hosts"


def test_the_applications_own_modules(tree: Tree) -> None:
    """Importing the application is told, as it takes long."""
    report = tree({"a1": revision_source("a1", head="from guestbook import models")}, models="")
    assert codes(report) == {"application-import"}
