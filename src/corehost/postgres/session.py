"""The settings of a session that holds locks and runs steps, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from corehost.core.namespace import Namespace
from corehost.core.setting_types import parse_duration
from corehost.core.settings import Settings
from corehost.postgres import sql
from corehost.postgres.connect import Connection, execute


def _ms(duration: timedelta) -> str:
    return str(round(duration.total_seconds() * 1000))


def connection_settings(settings: Settings) -> Mapping[str, str]:
    """What holds for the whole connection."""
    idle = _ms(settings.holder_idle_timeout)
    return {
        # A holder that is stopped keeps its lock for ever otherwise: its kernel still answers keepalives.
        "idle_session_timeout": idle,
        "idle_in_transaction_session_timeout": idle,
        # A client that was killed in the middle of a statement is noticed before the statement ends.
        "client_connection_check_interval": "500",
        # A client behind a cut network is noticed in five seconds instead of two hours.
        "tcp_keepalives_idle": "2",
        "tcp_keepalives_interval": "1",
        "tcp_keepalives_count": "3",
        # Where an answer is on its way to it, no keepalives are sent.
        "tcp_user_timeout": "5000",
        # The check at the end of a step must see what others have committed meanwhile.
        "default_transaction_isolation": "read committed",
    }


def step_settings(settings: Settings, namespace: Namespace) -> Mapping[str, str]:
    """What holds while a namespace's steps run; verified after every step."""
    path = [namespace.schema, settings.extension_schema]
    if settings.search_path_public:
        path.append("public")
    return {
        "search_path": ", ".join(sql.quoted(schema) for schema in dict.fromkeys(path)),
        **waiting_settings(settings),
        # A dump that a revision runs begins with switching these off.
        "idle_session_timeout": _ms(settings.holder_idle_timeout),
        "idle_in_transaction_session_timeout": _ms(settings.holder_idle_timeout),
    }


def waiting_settings(settings: Settings) -> Mapping[str, str]:
    """How long statements may wait, and take."""
    return {
        # A statement that waits for a table's lock makes every later reader of it wait as well.
        "lock_timeout": _ms(settings.lock_timeout),
        "statement_timeout": _ms(settings.statement_timeout),
    }


def configure(connection: Connection, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Apply settings to the session, outside any transaction; returns them as the server writes them."""
    cursor = execute(connection, sql.CONFIGURE, (list(settings), list(settings.values())))
    return tuple(value for (value,) in cursor)


class StepSession:
    """Keeps the session as the steps of one namespace need it, whatever a revision does to it."""

    def __init__(self, connection: Connection, settings: Settings, namespace: Namespace):
        self._connection = connection
        self._wanted = step_settings(settings, namespace)
        self._whole = connection_settings(settings)
        self._lock_timeout = self._wanted["lock_timeout"]
        self._expected: tuple[str, ...] | None = None

    def prepare(self, *, lock_timeout: str | None = None, first: Callable[[], object] = lambda: None) -> None:
        """Set everything that is not known to be as it must be; no round trip where all is.

        ``lock_timeout`` is the step's own, with its unit, in place of the settings'; ``first`` is called
        before the first request.
        """
        wanted = _ms(parse_duration(lock_timeout)) if lock_timeout else self._lock_timeout
        if wanted != self._wanted["lock_timeout"]:
            self._wanted = {**self._wanted, "lock_timeout": wanted}
            self._expected = None
        if self._expected is None:
            first()
            execute(self._connection, sql.RESET_ROLE)
            others = {name: value for name, value in self._whole.items() if name not in self._wanted}
            self._expected = configure(self._connection, {**self._wanted, **others})[: len(self._wanted)]

    def without_lock_timeout(self) -> None:
        """Until the next :meth:`prepare` wait for locks as long as it takes."""
        self._expected = None
        execute(self._connection, sql.NO_LOCK_TIMEOUT)

    def restore_lock_timeout(self) -> None:
        """Back to what :meth:`prepare` has set."""
        self._expected = None
        configure(self._connection, {"lock_timeout": self._wanted["lock_timeout"]})

    def found(self, *now: str) -> None:
        """Take note of how a step left the session (the columns of ``sql.SESSION_NOW``)."""
        if now != (*(self._expected or ()), "none"):
            self._expected = None

    def forget(self) -> None:
        """A step failed, or did something unusual: set everything again before the next one."""
        self._expected = None
