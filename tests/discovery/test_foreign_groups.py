"""Entry points of other ecosystems' groups: their names and values as those write them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.finding import MIGRATIONS, Install, complaint, find, names

BROKEN = {"__init__.py": "raise RuntimeError('imported')"}


@pytest.mark.parametrize(
    ("name", "value", "branch", "folder"),
    [
        ("acme_access", "acme:alembic", "acme_access", "alembic"),
        (
            "acme-fwaas",
            "acme.db.migration:alembic_migrations",
            "acme_fwaas",
            "db/migration/alembic_migrations",
        ),
        ("acme", "acme.db.migration", "acme", "db/migration"),
        ("acme", "acme:db.migration", "acme", "db/migration"),
        ("acme", "acme.db:migration.alembic_migrations", "acme", "db/migration/alembic_migrations"),
    ],
    ids=["folder", "folder of a package inside", "package alone", "dots", "dots of a package inside"],
)
def test_a_value_is_a_folder_without_an_import(
    install_bare: Install, name: str, value: str, branch: str, folder: str
) -> None:
    """``package:folder``, and with dots where a slash would be, since an entry point may have none."""
    files = {**BROKEN, "alembic/0001.py": "", "db/migration/alembic_migrations/0001.py": ""}
    package = install_bare("acme", files=files, entry_points={MIGRATIONS: {name: value}})
    (found,) = find().branches
    assert (found.name, found.script_location) == (branch, package / folder)


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("acme.db:PLACE", "PLACE = __file__.replace('db.py', 'trees')"),
        ("acme.db:PLACE", "import pathlib\nPLACE = pathlib.Path(__file__).with_name('trees')"),
        ("acme.db:PLACE", "PLACE = 'acme:trees'"),
        ("acme.db:PLACE", "PLACE = ['acme:trees']"),
        ("acme.db:trees", "from acme import trees"),
    ],
    ids=["text", "path", "location", "list", "package"],
)
def test_a_value_that_is_no_folder_is_imported(install_bare: Install, value: str, source: str) -> None:
    """What an object says is where its tree lies counts, once no folder is named."""
    files = {"db.py": source, "trees/__init__.py": "", "trees/0001.py": ""}
    package = install_bare("acme", files=files, entry_points={MIGRATIONS: {"acme": value}})
    (found,) = find().branches
    assert found.locations == (package / "trees",)


def test_several_folders_of_one_value_are_one_branch(install_bare: Install) -> None:
    """As several version locations are to Alembic."""
    files = {"db.py": "PLACES = ['acme:one', 'acme:two']", "one/0001.py": "", "two/0002.py": ""}
    package = install_bare("acme", files=files, entry_points={MIGRATIONS: {"acme": "acme.db:PLACES"}})
    (found,) = find().branches
    assert found.locations == (package / "one", package / "two")


@pytest.mark.parametrize("value", ["acme:serve", "acme:nothing", "acme.cli:alembic"])
def test_a_value_that_means_nothing_is_told(install_bare: Install, value: str) -> None:
    """A function is never called: it may be the package's own program."""
    files = {"__init__.py": "def serve():\n    raise SystemExit('called')\n"}
    install_bare("acme", files=files, entry_points={MIGRATIONS: {"acme": value}})
    assert "is not there" in complaint("acme") or "there is no package" in complaint("acme")


def test_a_host_may_say_where_the_folder_is(install_bare: Install, site: Path) -> None:
    """A mount of that name overrides a value that leads nowhere."""
    install_bare("acme", files={"alembic/0001.py": ""}, entry_points={MIGRATIONS: {"acme": "acme:gone"}})
    found = find(mounts={"acme": {"migrations": "acme:alembic"}})
    assert names(found) == ["acme"]
    assert "acme" not in sys.modules
