"""A local PostgreSQL that lives as long as somebody uses it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import quote

from corehost.core.errors import CorehostError, DatabaseUnavailable
from corehost.embedded import supervisor
from corehost.embedded.account import Account, check_reach, readable_bindir, server_account, temporary_root
from corehost.embedded.binaries import find_bindir, major, version_of
from corehost.embedded.home import (
    FolderVanished,
    is_at,
    log_tail,
    make_password,
    open_folder,
    open_lock,
    open_log,
    remove_if_abandoned,
)

_START_TIMEOUT = 60.0
_COMMON = {"max_connections": "300"}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Running:
    supervisor: int
    postmaster: int
    socket_directory: str
    version: str


class LocalPostgres:
    """A local PostgreSQL for demos and tests: a Unix socket, a password, no TCP.

    All that name the same folder share one server for each major version, processes that start at the
    same moment included; the first of them starts it, with its settings. It is stopped soon after the
    last of them has called :meth:`stop` or is gone, however it went, kill -9 included. Run by root,
    PostgreSQL runs as ``postgres`` or ``nobody``.
    """

    def __init__(
        self,
        directory: Path | None = None,
        bindir: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        *,
        temporary: bool | None = None,
    ):
        """Say what to run; nothing is started yet.

        Args:
            directory: where the server's files go, with a folder for each major version; by default
                a new folder under the one for temporary files.
            bindir: the folder of ``postgres`` and ``initdb``; by default :func:`find_bindir`'s.
            settings: PostgreSQL settings for the one that starts the server.
            temporary: whether the server's files are deleted once the last user has left; by default
                only where no directory is given. Such a server does not care to survive a crash of
                the machine either.
        """
        self.directory = Path(directory).absolute() if directory else None
        """Where the server's files are; None before the start where none was given."""
        self._bindir = bindir
        self._temporary = directory is None if temporary is None else temporary
        self._settings = _COMMON | (_FORGETFUL if self._temporary else {}) | dict(settings)
        self._home: Path | None = None
        self._lease: int | None = None
        self._running: _Running | None = None

    def start(self) -> Self:
        """Start the server or join the one that runs; returns when it takes connections.

        Raises:
            ConfigurationError: there are no server programs, or the folder cannot be used.
            DatabaseUnavailable: the server did not start; the end of its log is in the message.
        """
        if self._running:
            return self
        bindir = (Path(self._bindir) if self._bindir else find_bindir()).absolute()
        version = version_of(bindir)
        account = server_account()
        if self.directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="corehost-", dir=temporary_root(account)))
            self.directory.chmod(0o711 if account else 0o700)
        self._home = self.directory / str(major(version))
        deadline = time.monotonic() + 2 * _START_TIMEOUT
        try:
            while self._running is None:
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"the server in {self._home} neither answers nor ends",
                        hint=f"look at {self._home / supervisor.LOG}",
                    )
                self._join(bindir, version, account)
        except BaseException:
            if self._temporary:
                remove_if_abandoned(self._home, supervisor_ends=True)
            raise
        return self

    def stop(self) -> None:
        """Leave the server; it ends soon after its last user has left."""
        lease, self._lease, self._running = self._lease, None, None
        if lease is None or self._home is None:
            return
        fcntl.flock(lease, fcntl.LOCK_UN)  # closing is not enough where a child was forked meanwhile
        os.close(lease)
        if self._temporary:
            remove_if_abandoned(self._home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def url(self, database: str = "postgres") -> str:
        """The libpq URL of one of the server's databases, password included.

        Raises:
            CorehostError: the server is not started.
        """
        home, running = self._started()
        password = (home / supervisor.PASSWORD).read_text()
        return (
            f"postgresql://{supervisor.SUPERUSER}:{password}@/{quote(database, safe='')}"
            f"?host={quote(running.socket_directory, safe='')}&port={supervisor.PORT}"
        )

    @property
    def server_version(self) -> str:
        """The running server's version, such as ``"18.6"``; raises CorehostError before the start."""
        return self._started()[1].version

    @property
    def pid(self) -> int:
        """The postmaster's process id; raises CorehostError before the start."""
        return self._started()[1].postmaster

    @property
    def supervisor_pid(self) -> int:
        """The process id of the postmaster's parent; raises CorehostError before the start."""
        return self._started()[1].supervisor

    def _started(self) -> tuple[Path, _Running]:
        if self._home is None or self._running is None:
            raise CorehostError(
                "the local PostgreSQL is not started", hint="call start(), or use it in a with"
            )
        return self._home, self._running

    def _join(self, bindir: Path, version: str, account: Account | None) -> None:
        """One attempt; in vain where the folder is being deleted, or the server is neither up nor gone."""
        assert self._home is not None
        with contextlib.ExitStack() as stack, contextlib.suppress(FolderVanished):
            # locks are opened relative to the open folder: the path may stand for another one in a moment
            folder = open_folder(self._home, mode=0o711 if account else 0o700)
            stack.callback(os.close, folder)
            starting = open_lock(supervisor.STARTING, folder)
            stack.callback(os.close, starting)
            lease = open_lock(supervisor.LEASE, folder)
            closing = stack.enter_context(contextlib.ExitStack())
            closing.callback(os.close, lease)
            if not _wait_for_lock(starting) or not _wait_for_lock(lease, shared=True):
                return
            if not is_at(folder, self._home):
                return
            alone = open_lock(supervisor.SUPERVISOR, folder)
            nobody_at_work = supervisor.try_lock(alone)
            os.close(alone)
            if nobody_at_work:
                self._launch(self._home, bindir, version, account)
            if (running := _look(self._home)) is None:
                time.sleep(0.02)
                return
            closing.pop_all()
            self._running, self._lease = running, lease

    def _launch(self, home: Path, bindir: Path, version: str, account: Account | None) -> None:
        if account:
            check_reach(home, account)
            bindir = readable_bindir(bindir, account)
        make_password(home, account)
        order = supervisor.Order(
            home=str(home),
            bindir=str(bindir),
            version=version,
            account=(account.uid, account.gid) if account else None,
            settings=self._settings,
            temporary=self._temporary,
            start_timeout=_START_TIMEOUT,
        )
        log = open_log(home)
        try:
            with subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(asdict(order))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for its users: it goes when they are gone
            ) as process:
                answer, _ = process.communicate()
        finally:
            os.close(log)
        problem = json.loads(answer)["error"] if answer else "its supervisor ended"
        if problem:
            raise DatabaseUnavailable(
                f"the local PostgreSQL {version} in {home} did not start: {problem}",
                hint=f"check its settings and the free space; its log ends:{log_tail(home)}",
            )


def _wait_for_lock(descriptor: int, *, shared: bool = False) -> bool:
    return supervisor.wait_for(
        lambda: supervisor.try_lock(descriptor, shared=shared), seconds=2 * _START_TIMEOUT
    )


def _look(home: Path) -> _Running | None:
    """The server, if it answers."""
    try:
        running = _Running(**json.loads((home / supervisor.STATE).read_text()))
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"{running.socket_directory}/.s.PGSQL.{supervisor.PORT}")
    except OSError:
        return None
    return running
