"""One batch of a table, as a revision sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from corehost.postgres.batches import KeyedTable

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some neighbouring rows of the table, by its key; committed when the loop asks for the next one."""

    number: int
    """Which batch of the table it is, from 1; a run that goes on behind a crash counts on."""
    rows: int
    """How many rows it had when it was chosen."""
    first: tuple[str, ...] | None
    """The key behind which it begins, as texts; None for the very beginning."""
    last: tuple[str, ...]
    """The key of its last row, as texts."""
    _table: KeyedTable
    _connection: Any = field(repr=False, default=None)

    @property
    def condition(self) -> str:
        """SQL that holds for the rows of the batch, for the statements of :meth:`execute`."""
        return self.condition_on(self._table.relation)

    def condition_on(self, alias: str) -> str:
        """The same, for a statement in which the table goes by another name."""
        parts = [self._table.beyond(alias, "<=", [f":{name}" for name in self._names("last")])]
        if self.first is not None:
            parts.insert(0, self._table.beyond(alias, ">", [f":{name}" for name in self._names("first")]))
        return f"({' AND '.join(parts)})"

    @property
    def clause(self) -> sa.TextClause:
        """The same as :attr:`condition`, for ``where()`` of a SQLAlchemy statement."""
        import sqlalchemy as sa

        return sa.text(self.condition).bindparams(**self._values())

    def execute(
        self, statement: str | sa.Executable, parameters: Mapping[str, Any] | None = None
    ) -> sa.CursorResult[Any]:
        """Run a statement in the batch's transaction: text (with ``:name`` parameters), or SQLAlchemy's."""
        import sqlalchemy as sa

        given = dict(parameters or {})
        if isinstance(statement, str):
            statement = sa.text(statement)
            known = statement._bindparams
            given = {**{name: v for name, v in self._values().items() if name in known}, **given}
        result: sa.CursorResult[Any] = self._connection.execute(statement, given)
        return result

    def _names(self, end: str) -> list[str]:
        return [f"corehost_{end}_{place}" for place in range(len(self._table.columns))]

    def _values(self) -> dict[str, str]:
        found = dict(zip(self._names("last"), self.last, strict=True))
        if self.first is not None:
            found |= zip(self._names("first"), self.first, strict=True)
        return found
