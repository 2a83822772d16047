"""The named types of a namespace, as the DDL of tables takes note of them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

_TYPE_KINDS: Final = {"pg_enum": "e", "pg_ENUM": "e", "pg_domain": "d", "pg_DOMAIN": "d"}
_TYPES: Final = """
SELECT typname FROM pg_catalog.pg_type
WHERE typnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %s) AND typtype = %s"""


class TypesThere(dict[str, Any]):
    """What SQLAlchemy remembers of the named types that it has made for tables, so as to make each once.

    Stock Alembic remembers it from the first revision of a run to the last: histories rely on that, and break
    when the second half is run by another process. What the namespace has is remembered by the database.
    """

    def __init__(self, connection: sa.Connection, schema: str):
        super().__init__()
        self._connection = connection
        self._schema = schema

    def __contains__(self, kind: object) -> bool:
        if not super().__contains__(kind) and kind in _TYPE_KINDS:
            found = self._connection.exec_driver_sql(_TYPES, (self._schema, _TYPE_KINDS[str(kind)])).scalars()
            self[str(kind)] = {key for name in found for key in ((None, name), (self._schema, name))}
        return super().__contains__(kind)
