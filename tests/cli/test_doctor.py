"""corehost doctor: its report, its exit codes, and that the mounts it prints do what they say."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pytest

from support.examined import FIRST, package
from support.packages import create_table, revision_source
from support.shop import UNREACHABLE, Shop

TREE = {"name", "verdict", "migrations", "revisions", "heads", "bases", "labels", "findings", "mount"}
NESTED = {
    "db/versions/first/a1.py": revision_source("a1", upgrade=create_table("entries")),
    "db/versions/second/a2.py": revision_source("a2", "a1", upgrade=create_table("answers")),
    "db/env.py": "from alembic import context\ncontext.configure(version_table='book_versions')\n",
}
FIXED = {
    "0001": revision_source(
        "0001",
        upgrade='op.execute("CREATE SCHEMA IF NOT EXISTS wiki")\n'
        'op.create_table("entries", sa.Column("id", sa.Integer), schema="wiki")\n'
        'op.execute("CREATE EXTENSION IF NOT EXISTS citext")',
    )
}
BEFORE = {"g1": revision_source("g1", upgrade=create_table("entries"))}
AFTER = {"w1": revision_source("w1", depends_on="g1", upgrade=create_table("pages"))}


def pasted(shop: Shop, package: str) -> str:
    """What the doctor prints to be pasted, after its title line."""
    finished = shop.run("doctor", package, database=None)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout.partition("# corehost.toml\n")[2]


def test_document(shop: Shop) -> None:
    """The document has the package, and of each tree its verdict, its revisions, findings and mount."""
    package(shop.site, {**FIRST, "a": revision_source("a", "0001", upgrade='op.execute("COMMIT")')})
    finished = shop.run("doctor", "guestbook", "--json", database=UNREACHABLE)
    assert finished.returncode == 0, finished.stderr
    document = finished.json()
    assert {key: document[key] for key in ("package", "distribution", "version")} == {
        "package": "guestbook",
        "distribution": "guestbook",
        "version": "1.0",
    }
    (tree,) = document["trees"]
    assert tree.keys() >= TREE
    assert (tree["verdict"], tree["heads"], tree["bases"]) == ("hosts", ["a"], ["0001"])
    assert tree["mount"] == {"migrations": "guestbook:migrations"}
    (finding,) = tree["findings"]
    assert finding.keys() == {"severity", "code", "message", "file", "line"}


@pytest.mark.parametrize(
    ("name", "revisions"),
    [("nowhere", FIRST), ("guestbook", {}), ("guestbook", {"a2": revision_source("a2", "a1")})],
)
def test_nothing_to_host(shop: Shop, name: str, revisions: Mapping[str, str]) -> None:
    """A package that is not there, one without revisions and one that is refused are exit code 2."""
    package(shop.site, revisions)
    finished = shop.run("doctor", name)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


def test_it_needs_no_settings(shop: Shop) -> None:
    """A configuration that is wrong does not matter to it."""
    package(shop.site)
    (shop.folder / "corehost.toml").write_text("nonsense = 1\n")
    assert shop.run("doctor", "guestbook", database=None).returncode == 0


def test_report_for_people(shop: Shop) -> None:
    """The text says the verdict, what was found where, and ends with the mount."""
    package(shop.site, {"0001": revision_source("0001", upgrade='op.execute("COMMIT")')})
    text = shop.run("doctor", "guestbook").stdout
    assert text.startswith("guestbook 1.0: 1 migration tree\n")
    assert "guestbook: hosts\n" in text
    assert "(versions/0001.py:" in text
    assert tomllib.loads(text.partition("# corehost.toml\n")[2])["mounts"].keys() == {"guestbook"}


@pytest.mark.parametrize(
    ("revisions", "files", "table", "versions"),
    [
        (FIRST, {}, "guestbook.entries", "guestbook.alembic_version"),
        ({}, NESTED, "guestbook.answers", "guestbook.book_versions"),
        (FIXED, {}, "wiki.entries", "wiki.alembic_version_guestbook"),
    ],
    ids=["plain", "nested", "fixed schema"],
)
def test_printed_mount_works(
    shop: Shop, revisions: Mapping[str, str], files: Mapping[str, str], table: str, versions: str
) -> None:
    """What is printed, as it is in a corehost.toml, hosts the package."""
    package(shop.site, revisions, files=files)
    (shop.folder / "corehost.toml").write_text(pasted(shop, "guestbook"))
    finished = shop.run("migrate")
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table(table)
    assert shop.has_table(versions)


@pytest.mark.parametrize("group", [None, "shop.alembic"])
def test_printed_settings_work_with_what_is_needed(shop: Shop, group: str | None) -> None:
    """What the package depends on is hosted as well, by its mount or by its entry point."""
    for name, revisions in (("guestbook", BEFORE), ("wiki", AFTER)):
        declared = {group: {name: f"{name}:migrations"}} if group else None
        package(shop.site, revisions, name=name, entry_points=declared)
    (shop.folder / "corehost.toml").write_text(pasted(shop, "wiki"))
    # of what is installed beside, only the group that was printed
    extra = {"COREHOST_MIGRATION_GROUPS": group or "tests.migrations"}
    finished = shop.run("migrate", extra=extra)
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table("guestbook.entries")
    assert shop.has_table("wiki.pages")
