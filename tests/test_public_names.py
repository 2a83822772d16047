"""The names that ``import corehost`` gives."""

from __future__ import annotations

import pytest

import corehost
from support.processes import output_of


def test_the_list_of_public_names_is_sorted() -> None:
    """A newcomer reads it from top to bottom."""
    assert corehost.__all__ == sorted(corehost.__all__)


@pytest.mark.parametrize("name", corehost.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each is imported when it is first used, and listed by dir()."""
    assert getattr(corehost, name) is not None
    assert name in dir(corehost)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """hasattr() and `from corehost import` rely on it."""
    with pytest.raises(AttributeError, match="module 'corehost' has no attribute 'nothing'"):
        corehost.nothing  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    ["import corehost", "from corehost import Settings, PluginSpec", "from corehost import hookimpl"],
)
def test_what_a_plugin_imports_is_light(statement: str) -> None:
    """Neither SQLAlchemy nor Alembic nor psycopg nor rich is loaded for it."""
    heavy = "{'sqlalchemy', 'alembic', 'psycopg', 'rich', 'importlib_metadata', 'packaging'}"
    program = f"{statement}\nimport sys\nprint({heavy} & sys.modules.keys() or '')"
    assert output_of(program).strip() == ""


def test_finding_the_plugins_imports_no_database_library() -> None:
    """Discovery is part of every command, the quick ones too."""
    program = (
        "from corehost import Settings; from corehost.discovery import inspect; inspect(Settings())\n"
        "import sys; print({'sqlalchemy', 'alembic', 'psycopg', 'rich'} & sys.modules.keys() or '')"
    )
    assert output_of(program).strip() == ""
