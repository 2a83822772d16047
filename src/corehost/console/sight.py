"""What the console has read: one look at the database, with the history that is shown beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Protocol

import psycopg

from corehost.core.errors import CorehostError
from corehost.core.graph import Graph
from corehost.core.presentable import presentable
from corehost.core.results import Skipped
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.postgres.connect import Connection, Connector, execute, is_lost, translated_errors
from corehost.postgres.ledger import HistoryEntry, read_history
from corehost.postgres.presence import read_present
from corehost.postgres.sql import CURRENT_DATABASE
from corehost.readiness import Look, look_around

ON_A_PAGE: Final = 30
"""How many attempts of the history are shown at once."""


class ConsoleHost(Protocol):
    """What the console needs of a host."""

    settings: Settings

    @property
    def installation(self) -> Installation:
        """What is installed."""
        ...

    @property
    def connector(self) -> Connector:
        """Opens connections."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What somebody wants to see."""

    branch: str | None = None
    """The revisions and the history of this branch."""
    before: int | None = None
    """The history before this entry; the newest where it is None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """What was seen last."""

    graph: Graph | None = None
    """What is installed."""
    skipped: tuple[Skipped, ...] = ()
    """What is installed and left out."""
    database: str | None = None
    """The database's name."""
    look: Look | None = None
    """The branches, who is at work on them, and who serves."""
    history: Mapping[View, tuple[HistoryEntry, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The attempts of each view, newest first; one more than fits where there are more."""
    problem: str | None = None
    """Why nothing could be read now; what is older stays."""
    at: datetime | None = None
    """When it was read, UTC."""


class Reader:
    """Reads, on a connection of its own that is kept; for one thread."""

    def __init__(self, host: ConsoleHost):
        self._host = host
        self._connection: Connection | None = None
        self._sight = Sight()

    def read(self, views: Iterable[View]) -> Sight:
        """Look once more; what went wrong is a part of what is seen. Raises nothing foreseen."""
        try:
            installation = self._host.installation
            with translated_errors():
                self._look(installation, views)
        except (CorehostError, psycopg.Error) as error:
            self.close()
            told = str(error) if isinstance(error, CorehostError) else f"the database refuses: {error}"
            self._sight = replace(self._sight, problem=presentable(told))
        return self._sight

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _look(self, installation: Installation, views: Iterable[View]) -> None:
        again = self._connection is not None
        try:
            self._look_through(self._open(), installation, views)
        except psycopg.Error as error:
            if not (again and is_lost(error)):
                raise
            self.close()  # the server was restarted meanwhile, say
            self._look_through(self._open(), installation, views)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._host.connector.open()
        return self._connection

    def _look_through(
        self, connection: Connection, installation: Installation, views: Iterable[View]
    ) -> None:
        graph = installation.graph
        look = look_around(connection, graph, policy=installation.policy)
        ((database,),) = execute(connection, CURRENT_DATABASE)
        self._sight = Sight(
            graph=graph,
            skipped=installation.skipped,
            database=database,
            look=replace(look, present=read_present(connection)),
            history={view: _history(connection, view) for view in views},
            at=datetime.now(UTC),
        )


def _history(connection: Connection, view: View) -> tuple[HistoryEntry, ...]:
    try:
        entries = read_history(connection, branch=view.branch, before=view.before, limit=ON_A_PAGE + 1)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return ()
    return tuple(reversed(entries))
