"""What env.py does, which corehost does not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corehost.doctor import TreeReport
from support.examined import codes

Tree = Callable[..., TreeReport]


def configure(**words: str) -> str:
    """An env.py that configures its context so."""
    given = ", ".join(f"{name}={value}" for name, value in words.items())
    return f"from alembic import context\ncontext.configure({given})\n"


def test_usual_env_says_nothing(tree: Tree) -> None:
    """What Alembic's own template does needs no key."""
    env = "target_metadata = None\n" + configure(target_metadata="target_metadata")
    report = tree(migrations__env=env)
    assert codes(report) == set()
    assert report.verdict == "hosts"


@pytest.mark.parametrize(
    ("env", "table"),
    [
        (configure(version_table="'book_version'"), "book_version"),
        ("VERSIONS = 'v_' + 'book'\n" + configure(version_table="VERSIONS"), "v_book"),
        (
            "import os\nname = os.path.basename(os.path.dirname(__file__))\n"
            + configure(version_table='f"{name}_alembic_version"'),
            "migrations_alembic_version",
        ),
        (
            "import os\nname = os.path.basename(os.path.dirname(__file__))\n"
            + configure(version_table='"{}_version".format(name)'),
            "migrations_version",
        ),
    ],
)
def test_version_table(tree: Tree, env: str, table: str) -> None:
    """A version table that is literal, or named after the folder, becomes a key."""
    assert tree(migrations__env=env).mount["version_table"] == table


def test_usual_version_table_is_no_key(tree: Tree) -> None:
    """Alembic's own name is what corehost would use anyway."""
    assert "version_table" not in tree(migrations__env=configure(version_table="'alembic_version'")).mount


def test_version_table_that_is_computed(tree: Tree) -> None:
    """A name that cannot be told is to be completed."""
    report = tree(migrations__env=configure(version_table="name()"))
    assert report.proposals == ('version_table = "..."',)


def test_version_table_schema(tree: Tree) -> None:
    """The version table's schema is proposed as the branch's."""
    assert tree(migrations__env=configure(version_table_schema="'books'")).mount["schema"] == "books"


MODELS = "import sqlalchemy as sa\nmetadata = sa.MetaData({})\nclass Base:\n    metadata = metadata\n"
CONVENTION = MODELS.format("naming_convention={'pk': 'pk_%(table_name)s'}")


@pytest.mark.parametrize(
    ("imported", "expression", "metadata"),
    [
        ("from guestbook.models import metadata", "metadata", "guestbook.models:metadata"),
        ("from guestbook.models import Base", "Base.metadata", "guestbook.models:Base.metadata"),
        ("from guestbook import models", "models.Base.metadata", "guestbook.models:Base.metadata"),
        ("import guestbook.models", "guestbook.models.metadata", "guestbook.models:metadata"),
        ("import guestbook.models as m", "m.metadata", "guestbook.models:metadata"),
    ],
)
def test_metadata_with_a_naming_convention(tree: Tree, imported: str, expression: str, metadata: str) -> None:
    """target_metadata is traced to its import, and a key where its module has a naming convention."""
    env = f"{imported}\ntarget_metadata = {expression}\n" + configure(target_metadata="target_metadata")
    assert tree(migrations__env=env, models=CONVENTION).mount["metadata"] == metadata


def test_metadata_without_a_naming_convention(tree: Tree) -> None:
    """Metadata that changes nothing is told of, and is no key."""
    env = "from guestbook.models import metadata\n" + configure(target_metadata="metadata")
    report = tree(migrations__env=env, models=MODELS.format(""))
    assert codes(report) == {"metadata"}
    assert "metadata" not in report.mount


def test_metadata_that_is_made_by_a_function(tree: Tree) -> None:
    """What a call returns is not traced."""
    env = "from guestbook.models import make\n" + configure(target_metadata="make()")
    assert "metadata" not in codes(tree(migrations__env=env))


OTHERS = {
    "include_schemas": ("env-not-run", configure(include_schemas="True")),
    "process_revision_directives": ("env-not-run", configure(process_revision_directives="print")),
    "attributes": ("env-not-run", "config.attributes.get('profile')"),
    "events": ("env-not-run", "from sqlalchemy import event\nevent.listen(None, 'x', print)"),
    "SQL": ("env-not-run", "connection.execute('SET lock_timeout TO 5')"),
    "import for its effects": ("env-not-run", "from guestbook import models"),
    "search_path": ("env-search-path", "connection.execute('SET search_path TO books')"),
    "create_all": ("bootstrap", "metadata.create_all(connection)"),
    "stamp": ("bootstrap", "command.stamp(config, 'head')"),
}


@pytest.mark.parametrize(("code", "env"), OTHERS.values(), ids=OTHERS)
def test_other_things(tree: Tree, code: str, env: str) -> None:
    """What else env.py does is told."""
    assert codes(tree(migrations__env=env)) == {code}


@pytest.mark.parametrize(
    "env",
    [configure(include_schemas="False"), "config.attributes.get('connection')", "print('SET out')", "("],
)
def test_other_things_that_do_not_matter(tree: Tree, env: str) -> None:
    """What corehost does as well, or nothing does, is not; an env.py that is no Python is nobody's."""
    assert codes(tree(migrations__env=env)) == set()
