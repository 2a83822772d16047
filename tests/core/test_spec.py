"""What a PluginSpec refuses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from corehost import PluginError, PluginSpec


def test_a_name_is_enough() -> None:
    """The schema follows the name, the rest has defaults."""
    spec = PluginSpec(name="ant")
    assert (spec.schema, spec.migrations, spec.target, spec.version_table) == ("ant", None, "heads", None)


def test_a_spec_is_frozen() -> None:
    """It is the same wherever it is read."""
    with pytest.raises(FrozenInstanceError):
        PluginSpec(name="ant").name = "bee"  # type: ignore[misc]


def test_fields_are_named() -> None:
    """A field can be added without moving the others."""
    with pytest.raises(TypeError):
        PluginSpec("ant")  # type: ignore[misc]


@pytest.mark.parametrize("field", ["requires", "after", "extensions", "preload"])
def test_a_list_will_do_for_a_tuple(field: str) -> None:
    """It is kept as a tuple."""
    fields: dict[str, Any] = {field: ["bee"]}
    assert getattr(PluginSpec(name="ant", **fields), field) == ("bee",)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "core"}, "name 'core' is reserved"),
        ({"name": "corehost"}, "name 'corehost' is reserved"),
        ({"name": "Ant"}, "name 'Ant' does not match"),
        ({"name": "ant\n"}, "does not match"),
        ({"name": "a" * 41}, "does not match"),
        ({"name": ""}, "does not match"),
        ({"name": 5}, "name is a int, not a str"),
        ({"schema": "pg_ant"}, "schema 'pg_ant' is reserved by PostgreSQL"),
        ({"schema": "corehost"}, "reserved for corehost's own ledger"),
        ({"schema": "ä" * 32}, "is longer than 63 bytes"),
        ({"schema": "a\x00b"}, "NUL character"),
        ({"migrations": "/srv/migrations"}, "is not 'package:folder'"),
        ({"migrations": "ant:a:b"}, "is not 'package:folder'"),
        ({"metadata": "ant.models"}, "is not 'module:attribute'"),
        ({"requires": "bee"}, "requires is a str; write ('bee',)"),
        ({"requires": ("Bee",)}, "requires 'Bee': does not begin with a plugin's name"),
        ({"requires": ("bee>>1",)}, "requires 'bee>>1': '>>1' is not a version specifier"),
        ({"after": ("bee>1",)}, "after 'bee>1' is not a plugin's name"),
        ({"extensions": (1,)}, "extensions is not a tuple of str"),
        ({"target": ""}, "target is empty"),
        ({"version_table": "v" * 64}, "is not a table's name"),
        ({"recursive": 1}, "recursive is not a bool"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], told: str) -> None:
    """The message says which field is wrong, and why."""
    with pytest.raises(PluginError) as caught:
        PluginSpec(**{"name": "ant", **fields})
    assert told in str(caught.value)


def test_all_wrong_fields_are_named_at_once() -> None:
    """One start is enough to learn them all."""
    with pytest.raises(PluginError) as caught:
        PluginSpec(name="ant", schema="pg_ant", target="", after=("B",))
    assert all(told in str(caught.value) for told in ("schema 'pg_ant'", "target is empty", "after 'B'"))
