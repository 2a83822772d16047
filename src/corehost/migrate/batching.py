"""``corehost.batches``: a large table changed in small transactions, which a crash does not begin anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from corehost.core.errors import MigrationError
from corehost.core.rows import progress as tell
from corehost.core.setting_types import parse_duration
from corehost.migrate.batch import Batch
from corehost.migrate.running import RunningStep, running
from corehost.postgres import batches as postgres
from corehost.postgres import sql
from corehost.postgres.batches import KeyedTable, Lag, Saved

if TYPE_CHECKING:
    import sqlalchemy as sa

_log = logging.getLogger("corehost")

_LAG_CHECK: Final = 0.5
"""Seconds between two questions about a lag that is too large."""
_KEEP_ALIVE: Final = 5.0
"""Seconds of a pause after which the session is shown to be alive."""


def batches(
    table: str | sa.Table,
    *,
    key: str | Sequence[str] | None = None,
    size: int = 1000,
    where: str | None = None,
    pause: str = "0s",
    max_lag: str | None = None,
) -> Iterator[Batch]:
    """Go through a table in batches of neighbouring keys, in a revision's ``upgrade()``.

    Each batch is committed, together with its last key, when the next one is asked for, if the
    namespace's lock is still held. A run that was cut short, by kill -9 too, goes on behind the last
    committed batch; the step is never in doubt for it. Rows whose key is larger than any was when the
    loop began are not visited. Whatever the revision changes itself has to come after its last loop.

    Args:
        table: its name, qualified or in the branch's own schema, or a SQLAlchemy Table.
        key: the columns of a unique index, none of which may be NULL; by default the primary key.
        size: how many rows a batch has at most.
        where: SQL that chooses the rows that are visited; the batch's condition does not repeat it.
        pause: how long to rest after each batch, with its unit.
        max_lag: rest while a connected standby is further behind than this, with its unit.

    Raises MigrationError where the table has no such key, where the transaction has changed something
    already (it would be committed with the first batch and run again after a crash), or where one loop
    is inside another.
    """
    from alembic import op

    if size < 1:
        raise MigrationError(f"size is {size}, less than 1")
    rest = parse_duration(pause).total_seconds()
    longest_lag = parse_duration(max_lag).total_seconds() if max_lag is not None else None
    columns = (key,) if isinstance(key, str) else tuple(key) if key is not None else None
    name = _name(table)
    if op.get_context().as_sql:
        return _offline(name, columns)
    connection: Any = op.get_bind()
    raw: Any = connection.connection.driver_connection
    step = running()
    if step is not None and step.in_loop:
        raise MigrationError("corehost.batches inside a loop over other batches")
    if step is not None and postgres.has_written(raw):
        raise MigrationError(
            "something was changed before corehost.batches: it would be committed with the first batch, "
            "and run again after a crash",
            hint="put it into a revision of its own, or behind the loop",
        )
    loop = _Loop(
        step,
        connection,
        raw,
        postgres.keyed_table(raw, name, key=columns, where=where),
        size=size,
        rest=rest,
        max_lag=longest_lag,
    )
    return loop.run()


class _Loop:
    """One loop over the batches of one table."""

    def __init__(
        self,
        step: RunningStep | None,
        connection: Any,
        raw: Any,
        table: KeyedTable,
        *,
        size: int,
        rest: float,
        max_lag: float | None,
    ):
        self._step = step
        self._connection = connection
        self._raw = raw
        self._table = table
        self._size = size
        self._rest = rest
        self._max_lag = max_lag
        self._lag = Lag(raw)
        self._told = False
        self._total: int | None = None
        self._number = 0
        if step is not None:
            step.loops += 1
            self._number = step.loops

    def run(self) -> Iterator[Batch]:
        """The batches; each is committed when the one behind it is asked for."""
        progress = self._begin()
        if self._step is not None:
            self._step.in_loop = True
            self._total = postgres.estimated_rows(self._raw, self._table)
        while progress is not None and not progress.finished:
            found = postgres.next_batch(
                self._raw, self._table, behind=progress.last or None, until=progress.until, size=self._size
            )
            if found is None:
                break
            rows, last = found
            behind = progress.last or None
            progress = replace(
                progress,
                batches=progress.batches + 1,
                rows=progress.rows + rows,
                last=last,
                finished=last == progress.until,
            )
            yield Batch(
                number=progress.batches,
                rows=rows,
                first=behind,
                last=last,
                _table=self._table,
                _connection=self._connection,
            )
            if self._step is not None:
                self._commit(self._step, progress)
        if self._step is not None:
            self._step.in_loop = False

    def _begin(self) -> Saved | None:
        """How far the loop has come already; None where there is nothing to go through."""
        over = str(self._table)
        if self._step is not None:
            found = postgres.saved(self._raw, self._step.record.values, self._number)
            if found is not None and found.over != over:
                raise MigrationError(
                    f"loop {self._number} over batches went through {found.over} when it was cut short, "
                    f"and now goes through {over}",
                    hint="put the file back, or delete its row of corehost.batch to begin anew",
                )
            if found is not None:
                if not found.finished:
                    step = self._step.step
                    about = step.extra("batches.resumed")
                    _log.info(
                        "%s goes on behind %d rows of %s",
                        step.node,
                        found.rows,
                        self._table.name,
                        extra=about,
                    )
                return found
        until = postgres.last_key(self._raw, self._table)
        if until is None:
            return None
        return Saved(over=over, last=(), until=until, batches=0, rows=0, finished=False)

    def _commit(self, step: RunningStep, progress: Saved) -> None:
        if not step.batches:
            # In the batch's own transaction, so that the ledger says who began to run it.
            step.record.start(self._raw, duration_ms=step.elapsed_ms(), partial=False)
        postgres.commit(self._raw, step.record.values, self._number, progress)
        step.batches += 1
        # An estimate of the planner's: what is done may be more.
        tell(progress.rows, None if self._total is None else max(self._total, progress.rows))
        step.stop.check()
        if not progress.finished:
            self._pause(step)
            if self._max_lag is not None:
                self._await_standbys(step, self._max_lag)

    def _pause(self, step: RunningStep) -> None:
        until = time.monotonic() + self._rest
        while (left := until - time.monotonic()) > 0:
            step.stop.sleep(min(left, _KEEP_ALIVE))
            step.stop.check()
            if left > _KEEP_ALIVE:
                self._quietly(postgres.keep_alive)

    def _await_standbys(self, step: RunningStep, longest: float) -> None:
        """Rest until no standby is further behind than that."""
        self._lag.mark()
        while (seconds := self._lag.seconds()) > longest:
            about = step.step.extra("batches.waiting")
            _log.info("%s waits for a standby that is %.1f s behind", step.step.node, seconds, extra=about)
            self._raw.rollback()  # a snapshot that is kept open holds the standby's clean-up back as well
            step.stop.sleep(_LAG_CHECK)
            step.stop.check()
        if self._lag.is_hidden and not self._told:
            self._told = True
            _log.warning(
                "%s may not see how far the standbys are behind: grant its role pg_read_all_stats",
                step.step.node,
                extra=step.step.extra("batches.blind"),
            )
        self._raw.rollback()

    def _quietly(self, ask: Callable[[Any], None]) -> None:
        ask(self._raw)
        self._raw.rollback()


def _name(table: str | sa.Table) -> str:
    """The name as SQL writes it; a text is taken as it is written."""
    if isinstance(table, str):
        return table
    parts = [table.schema, table.name] if table.schema else [table.name]
    return ".".join(sql.quoted(str(part)) for part in parts)


def _offline(name: str, key: Sequence[str] | None) -> Iterator[Batch]:
    """One batch that stands for all of them, where the statements are only written down."""
    from alembic import op

    from corehost.alembic.offline import READER

    reader = op.get_context().opts.get(READER)
    if reader is None:
        raise MigrationError("corehost.batches looks at the table, which a script of SQL cannot")
    columns = tuple(key or ("id",))
    relation = name.rpartition(".")[2]
    table = KeyedTable(name=name, relation=relation, columns=columns, types=("text",) * len(columns))
    values = ("0",) * len(columns)
    with reader.batch():
        yield Batch(number=1, rows=0, first=values, last=values, _table=table, _connection=_Offline())


class _Offline:
    """Writes statements down instead of running them."""

    def execute(self, statement: Any, parameters: Mapping[str, Any]) -> None:
        from alembic import op

        bound = {name: value for name, value in parameters.items() if name in statement.compile().params}
        op.execute(statement.bindparams(**bound) if bound else statement)
