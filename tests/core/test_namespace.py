"""What is derived from a schema's name."""

from __future__ import annotations

import hashlib

import pytest

from corehost.core.namespace import Namespace, lock_key, version_table_for


def test_the_lock_key_is_the_one_that_the_contract_says() -> None:
    """Other programs compute it too: eight bytes of a SHA-256, signed, big-endian."""
    digest = hashlib.sha256(b"corehost\0billing").digest()
    assert lock_key("billing") == int.from_bytes(digest[:8], "big", signed=True)
    assert lock_key("billing") == 1785068579973355472


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ("core", -7795209359300684554),
        ("corehost", 2290474272170119788),
        ("público", -8210316593277658471),
        ("a b", 2059201389995970642),
    ],
)
def test_the_lock_key_never_changes(schema: str, key: int) -> None:
    """Instances of two releases must try the same lock: computed with sha256sum, once and for all."""
    digest = hashlib.sha256(b"corehost\0" + schema.encode("utf-8")).digest()
    assert lock_key(schema) == int.from_bytes(digest[:8], "big", signed=True) == key


def test_branches_of_one_schema_share_its_lock() -> None:
    """The schema is the unit of locking, whatever its version tables are called."""
    one, other = (Namespace(schema="x", version_table=table) for table in ("a", "b"))
    assert one.lock_key == other.lock_key


@pytest.mark.parametrize(
    ("branch", "schema", "table"),
    [
        ("billing", "billing", "alembic_version"),
        ("billing", "public", "alembic_version_billing"),
        ("core", "core", "alembic_version"),
        ("core", "public", "alembic_version"),
    ],
)
def test_the_version_table_follows_branch_and_schema(branch: str, schema: str, table: str) -> None:
    """Alembic's own name, where no other branch could have it too."""
    assert version_table_for(branch, schema) == table
