"""A namespace: where a branch's tables and version table live, and the key of its lock.

The only file that derives version table and lock key from names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

CORE = "core"
"""The reserved name of the host application's own branch."""
LEDGER = "corehost"
"""The reserved name of corehost's own branch, and of its schema."""

_MAX_IDENTIFIER_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1; longer names are cut silently


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Namespace:
    """One branch's place in the database: a PostgreSQL schema and the version table in it."""

    schema: str
    """The PostgreSQL schema; the unit of locking."""
    version_table: str
    """The name of the branch's version table, inside that schema."""

    @property
    def lock_key(self) -> int:
        """The key of the schema's advisory lock; branches that share a schema share it."""
        return lock_key(self.schema)

    @property
    def intent_key(self) -> int:
        """The key that announces that somebody needs the schema's lock exclusively."""
        return intent_key(self.schema)

    @property
    def background(self) -> Namespace:
        """What stands for the schema where a background step is run: a lock of its own, and nothing else.

        So others can migrate the schema meanwhile, and become ready. No schema can have such a name.
        """
        return Namespace(schema=f"{self.schema}\x00background", version_table=self.version_table)

    @property
    def contract_key(self) -> int:
        """The key that tells that a contract step of the schema is run, or about to be."""
        return contract_key(self.schema)


def lock_key(schema: str) -> int:
    """The advisory lock key of a schema, a signed 64-bit integer.

    A 64-bit hash of 10,000 names collides with a probability of 3e-12; a 32-bit one with 1 %.
    """
    digest = hashlib.sha256(b"corehost\x00" + schema.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def intent_key(schema: str) -> int:
    """The key by which an instance announces that it needs a schema's lock exclusively.

    Shared holders that come and go can keep an exclusive try from ever succeeding.
    """
    digest = hashlib.sha256(b"corehost\x00intent\x00" + schema.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def contract_key(schema: str) -> int:
    """The key that is held exclusively while a contract step of a schema is run, or about to be."""
    digest = hashlib.sha256(b"corehost\x00contract\x00" + schema.encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


PRESENCE_TAG: Final = 0x6368
"""The upper half of the first of the two 32-bit keys of every presence."""


def presence_key(digest: str) -> tuple[int, int]:
    """The two keys of the presence of a release (a digest of 48 bits), as signed 32-bit integers.

    Every presence in a database is found by its tag, those of unknown code too. Nothing else of corehost
    locks a pair of keys.
    """
    low = int(digest[4:], 16)
    return PRESENCE_TAG << 16 | int(digest[:4], 16), low - (1 << 32) if low >= 1 << 31 else low


def presence_digest(first: int, second: int) -> str:
    """The digest of a presence's two keys, as ``pg_locks`` shows them."""
    return f"{first & 0xFFFF:04x}{second & 0xFFFFFFFF:08x}"


def version_table_for(branch: str, schema: str) -> str:
    """The version table's name where none is configured."""
    return "alembic_version" if branch in (schema, CORE) else f"alembic_version_{branch}"


LEDGER_NAMESPACE = Namespace(schema=LEDGER, version_table="alembic_version")
"""Where the ledger itself lives."""


def schema_problem(schema: str) -> str | None:
    """Why a schema name is refused, or None where it may be used."""
    if not schema:
        return "schema is empty"
    if "\x00" in schema:
        return "schema has a NUL character"
    if len(schema.encode()) > _MAX_IDENTIFIER_BYTES:
        return f"schema {schema!r} is longer than {_MAX_IDENTIFIER_BYTES} bytes"
    if schema.startswith("pg_") or schema == "information_schema":
        return f"schema {schema!r} is reserved by PostgreSQL"
    if schema == LEDGER:
        return f"schema {schema!r} is reserved for corehost's own ledger"
    return None
