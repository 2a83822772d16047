"""New connections, and what their failures mean."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow, tuple_row

from corehost.core.errors import DatabaseUnavailable, IncompatibleDatabase
from corehost.core.settings import Settings
from corehost.postgres import dsn, sql

Connection = psycopg.Connection[Any]
Cursor = psycopg.ClientCursor[TupleRow]

_OLDEST: Final = 140000  # idle_session_timeout and client_connection_check_interval came with 14
_HOST_LENGTH: Final = 18  # application_name is cut at 63 bytes, and must end with the time of the lock
# A client that has vanished is noticed by either side within about five seconds.
_TRANSPORT: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}

_REFUSAL: Final = re.compile(r"failed: \S[^:\n]*:  .*")
_REFUSES_ALL: Final = re.compile("the database system is|not currently accepting connections")
_REMEDIES: Final = {
    "out of shared memory": "the server's lock table is full: raise max_locks_per_transaction",
    "too many c": "raise the server's or the role's limit of connections, or put a session pooler before it",
    "remaining connection slots": "raise max_connections, or put a session pooler before it",
}


def application_name() -> str:
    """This process's application_name: ``corehost`` and who it is."""
    return f"corehost {socket.gethostname()[:_HOST_LENGTH]}:{os.getpid()}"


class Connector:
    """Opens connections for one host: from its settings, or by the host's own callable."""

    def __init__(self, settings: Settings, connect: Callable[[], Connection] | None = None):
        self._settings = settings
        self._connect = connect

    def open(self, *, migrating: bool = False) -> Connection:
        """A new connection in autocommit mode, through migration_url when ``migrating``.

        Raises DatabaseUnavailable, IncompatibleDatabase (a server older than 14), ConfigurationError.
        """
        with translated_errors():
            if self._connect is not None:
                connection = self._connect()
                connection.autocommit = True
                execute(connection, "SELECT set_config('application_name', %s, false)", (application_name(),))
            else:
                connection = self._open(self._url(migrating=migrating))
        connection.prepare_threshold = None
        if connection.info.server_version < _OLDEST:
            version = connection.info.server_version // 10000
            connection.close()
            raise IncompatibleDatabase(f"the server is PostgreSQL {version}, older than 14")
        return connection

    def answers(self) -> bool:
        """Whether the database answers on a new connection, such as the application's own are."""
        try:
            with self.open() as connection:
                ping(connection)
        except Exception:  # of a connect callable of the host, too
            return False
        return True

    def _open(self, url: str) -> Connection:
        given = dsn.parsed(url)
        transport = {key: value for key, value in _TRANSPORT.items() if key not in given}
        given.update(transport, application_name=application_name())
        return psycopg.connect(autocommit=True, **given)

    def _url(self, *, migrating: bool) -> str:
        settings = self._settings
        if migrating:
            if settings.migration_url_file:
                return dsn.normalised(
                    dsn.read_file(settings.migration_url_file, setting="COREHOST_MIGRATION_URL_FILE")
                )
            if settings.migration_url:
                return dsn.normalised(settings.migration_url)
        if settings.database_url_file:
            return dsn.normalised(
                dsn.read_file(settings.database_url_file, setting="COREHOST_DATABASE_URL_FILE")
            )
        return dsn.normalised(settings.database_url) if settings.database_url else ""


def execute(connection: Connection, statement: str, parameters: Any = None) -> Cursor:
    """Run a statement on the simple protocol, so that several may go in one round trip."""
    cursor: Cursor = psycopg.ClientCursor(connection, row_factory=tuple_row)
    return cursor.execute(statement, parameters)


def ping(connection: Connection) -> None:
    """Ask the server for an answer: one round trip. Raises psycopg's errors."""
    execute(connection, sql.BACKEND_PID)


def is_lost(error: BaseException) -> bool:
    """Whether an error means that the connection is gone and another one may do."""
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return True  # a server that was demoted under us; the name may soon lead to the new one
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return True  # we were stopped for so long; what the server says goes by another class than its kin
    return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and (
        error.sqlstate is None or error.sqlstate[:3] == "57P" or error.sqlstate[:2] == "08"
    )


def is_refusal(error: BaseException) -> bool:
    """Whether a server that is up refuses this connection: no room left, a password, pg_hba.conf.

    By its form, whatever its language: libpq tells no SQLSTATE, but writes what the server says behind a
    severity and two blanks. A server that starts or stops refuses everybody, by words in English only.
    """
    reason = next((e for e in (error, error.__cause__) if isinstance(e, psycopg.OperationalError)), None)
    if reason is None or reason.sqlstate is not None:
        return False
    return any(not _REFUSES_ALL.search(said) for said in _REFUSAL.findall(str(reason)))


def is_passing(error: BaseException) -> bool:
    """Whether the same statement may do on another connection: this one is lost, or somebody cancelled it."""
    return is_lost(error) or isinstance(error, psycopg.errors.QueryCanceled)


def writing_backend(connection: Connection) -> int:
    """The process id of a session's backend; raises DatabaseUnavailable where it could write nothing."""
    ((read_only, pid),) = execute(connection, sql.WRITES_AS)
    if read_only:
        raise _read_only()
    return int(pid)


def sever(connection: Connection) -> None:
    """Cut a connection under the thread that waits on it, which then sees it as lost."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn a failed connection, or a role without rights, into corehost's own errors."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnavailable(
            f"the database refuses: {_first_line(error)}", hint="grant the role what it needs"
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise _read_only() from error
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.IdleInTransactionSessionTimeout,
    ) as error:
        raise DatabaseUnavailable(
            f"the database cannot be reached: {_first_line(error)}", hint=remedy(error)
        ) from error


def remedy(error: BaseException) -> str | None:
    """What to do about a server that has no room left; None for any other error.

    By its text: libpq tells no SQLSTATE of a connection that was refused.
    """
    text = str(error)
    return next((hint for part, hint in _REMEDIES.items() if part in text), None)


def _read_only() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "the database is read-only: a standby, or in the middle of a failover",
        hint="let migration_url lead to the primary",
    )


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
