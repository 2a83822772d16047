"""The index: a start with nothing to do reads no revision file, and never believes what has changed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import corehost.ledger
from support.packages import create_table, revision_source, spec
from support.shop import Shop

LOADED = """
import sys
from corehost.cli.application import run
code = run(["check", "-q"])
print(code, "corehost.discovery" in sys.modules)
"""
SPEC = 'PluginSpec(name="orders", schema=SCHEMA, migrations="orders:migrations")'


def age(folder: Path) -> None:
    """Let everything in a folder be an hour old: what is young is not believed."""
    then = time.time() - 3600
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then))


def check(shop: Shop) -> tuple[int, bool]:
    """The exit code of a check, and whether it read what is installed."""
    finished = shop.python(LOADED, extra={"COREHOST_CACHE_DIR": str(shop.folder / "cache")})
    code, read = finished.stdout.split()
    return int(code), read == "True"


@pytest.fixture
def indexed(shop: Shop) -> Shop:
    """A shop that is up to date, and whose index is there."""
    shop.install("orders", spec_source=SPEC)
    (shop.site / "orders" / "settings.py").write_text('SCHEMA = "orders"\n')
    module = shop.site / "orders" / "corehost_plugin.py"
    module.write_text("from orders.settings import SCHEMA\n" + module.read_text())
    shop.install("wiki")
    assert shop.run("migrate").returncode == 0
    age(shop.site)
    assert check(shop) == (0, True)
    return shop


def test_an_unchanged_installation_is_not_read(indexed: Shop) -> None:
    """The second check finds no plugin and opens no revision file."""
    assert check(indexed) == (0, False)


def add_revision(shop: Shop) -> None:
    """A newer file."""
    versions = shop.site / "wiki" / "migrations" / "versions"
    (versions / "2.py").write_text(revision_source("w2", "wiki1"))


def rewrite_revision(shop: Shop) -> None:
    """Another id in the same file, of the same length."""
    file = shop.site / "wiki" / "migrations" / "versions" / "wiki1.py"
    file.write_text(file.read_text().replace("wiki1", "wiki9"))


def move_folder(shop: Shop) -> None:
    """The files lie in the folder itself, where ``versions`` was."""
    versions = shop.site / "wiki" / "migrations" / "versions"
    versions.rename(versions.parent / "other")


def install_another(shop: Shop) -> None:
    """A new distribution."""
    shop.install("more")


def change_a_spec(shop: Shop) -> None:
    """Not in the plugin's module: in one that it imports."""
    (shop.site / "orders" / "settings.py").write_text('SCHEMA = "others"\n')


def change_the_settings(shop: Shop) -> None:
    """An edge between two branches, in a file."""
    (shop.folder / "corehost.toml").write_text('[mounts.wiki]\nschema = "elsewhere"\n')


CHANGES = [add_revision, rewrite_revision, move_folder, install_another, change_a_spec, change_the_settings]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_has_changed_is_read_anew(indexed: Shop, change: Callable[[Shop], None]) -> None:
    """The index is not believed, and the answer is that of an installation without one."""
    change(indexed)
    code, read = check(indexed)
    assert read
    assert code == indexed.run("check", extra={"COREHOST_CACHE_DIR": "/dev/null"}).returncode


def test_a_plugin_that_is_gone_is_missed(indexed: Shop) -> None:
    """Its distribution was uninstalled: what is left is up to date, and read anew."""
    (dist_info,) = indexed.site.glob("wiki-*.dist-info")
    for file in dist_info.iterdir():
        file.unlink()
    dist_info.rmdir()
    assert check(indexed) == (0, True)


def test_a_link_that_leads_to_another_release_is_noticed(shop: Shop) -> None:
    """Deployed by switching a link; whatever both releases have is alike, its times too."""
    package = shop.install("wiki")
    old, new = shop.folder / "old", shop.folder / "new"
    package.rename(old)
    package.symlink_to(old)
    assert shop.run("migrate").returncode == 0
    age(old)
    age(shop.site)
    assert check(shop) == (0, True)
    assert check(shop) == (0, False)
    shutil.copytree(old, new)
    (new / "migrations" / "versions" / "2.py").write_text(revision_source("w2", "wiki1"))
    age(new)
    package.unlink()
    package.symlink_to(new)
    assert check(shop) == (3, True)


def test_another_version_of_a_source_tree_is_noticed(shop: Shop) -> None:
    """An .egg-info keeps its name and its entry points when its version changes."""
    shop.install("orders")
    (dist_info,) = shop.site.glob("orders-*.dist-info")
    (dist_info / "METADATA").rename(dist_info / "PKG-INFO")
    egg_info = dist_info.rename(shop.site / "orders.egg-info")
    assert shop.run("migrate").returncode == 0
    age(shop.site)
    assert check(shop) == (0, True)
    assert check(shop) == (0, False)
    described = egg_info / "PKG-INFO"
    described.write_text(described.read_text().replace("Version: 1.0", "Version: 2.0"))
    assert check(shop) == (0, True)


def test_the_database_has_the_last_word(indexed: Shop) -> None:
    """Rows that are not those of the index: everything is read, and the truth told."""
    indexed.execute("UPDATE wiki.alembic_version SET version_num = 'older'")
    assert check(indexed) == (5, True)
    indexed.execute("DROP SCHEMA wiki CASCADE")
    assert check(indexed) == (5, True)


def test_a_step_in_doubt_is_not_overlooked(indexed: Shop) -> None:
    """The rows are as they should be, but of a newer revision a part may be committed."""
    indexed.execute("UPDATE corehost.step SET open = true, partial = true WHERE branch = 'wiki'")
    assert check(indexed)[1]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"digest": 1, "sources": {}, "branches": 3}', "\x00"])
def test_garbage_is_no_index(indexed: Shop, content: str) -> None:
    """Whatever lies there instead, everything is read, and a good one written."""
    (file,) = (indexed.folder / "cache").glob("*.json")
    file.write_text(content)
    assert check(indexed) == (0, True)
    assert check(indexed) == (0, False)


def test_what_others_may_write_is_not_believed(indexed: Shop) -> None:
    """Somebody else could say what is installed."""
    (file,) = (indexed.folder / "cache").glob("*.json")
    file.chmod(0o666)
    assert check(indexed) == (0, True)


def test_what_is_young_is_not_kept(shop: Shop) -> None:
    """A file may be written twice in one tick of its clock, with the same size."""
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    for file in (shop.site / "orders").rglob("*.py"):
        os.utime(file, (time.time() + 60, time.time() + 60))
    assert check(shop) == (0, True)
    assert check(shop) == (0, True)


def test_it_is_built_with_an_image(shop: Shop) -> None:
    """corehost index needs no database, and waits until the files may be believed."""
    shop.install("orders", {"1": revision_source("o1", upgrade=create_table("orders"))})
    assert shop.run("migrate").returncode == 0
    cache = {"COREHOST_CACHE_DIR": str(shop.folder / "cache")}
    finished = shop.run("index", "--json", database=None, extra=cache)
    assert finished.returncode == 0, finished.stderr
    assert Path(finished.json()["file"]).is_file()
    ledger = list(Path(corehost.ledger.__file__, "../versions").resolve().glob("[0-9]*.py"))
    assert finished.json()["revisions"] == 1 + len(ledger)
    finished = shop.run("check", extra=cache)
    assert finished.returncode == 0


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/nothing"])
def test_without_a_folder_for_it_everything_works(shop: Shop, folder: str) -> None:
    """A check reads what is installed; only who asks for an index is told that there is none."""
    shop.install("orders", spec_source=spec("orders"))
    assert shop.run("migrate").returncode == 0
    assert shop.run("check", extra={"COREHOST_CACHE_DIR": folder}).returncode == 0
    finished = shop.run("index", extra={"COREHOST_CACHE_DIR": folder})
    assert finished.returncode == 2
    assert "COREHOST_CACHE_DIR" in finished.stderr
