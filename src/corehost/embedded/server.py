"""A local PostgreSQL that lives as long as somebody uses it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
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

from corehost.core.errors import ConfigurationError, CorehostError, DatabaseUnavailable
from corehost.embedded import supervisor
from corehost.embedded.account import Account, check_reach, readable_bindir, server_account, temporary_root
from corehost.embedded.binaries import find_bindir, major, version_of

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
                _remove_if_abandoned(self._home)
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
            _remove_if_abandoned(self._home)

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
        with contextlib.ExitStack() as stack:
            # locks are opened relative to the open folder: the path may stand for another one in a moment
            if (folder := _open_folder(self._home, mode=0o711 if account else 0o700)) is None:
                return
            stack.callback(os.close, folder)
            starting = supervisor.open_lock(supervisor.STARTING, folder=folder)
            stack.callback(os.close, starting)
            lease = supervisor.open_lock(supervisor.LEASE, folder=folder)
            closing = stack.enter_context(contextlib.ExitStack())
            closing.callback(os.close, lease)
            if not _wait_for_lock(starting) or not _wait_for_lock(lease, shared=True):
                return
            if not _is_at(folder, self._home):
                return
            if _is_free(supervisor.SUPERVISOR, folder):
                self._launch(self._home, bindir, version, account)
            self._running = _look(self._home)
            if self._running is None:
                time.sleep(0.02)
            else:
                self._lease = lease
                closing.pop_all()

    def _launch(self, home: Path, bindir: Path, version: str, account: Account | None) -> None:
        if account:
            check_reach(home, account)
            bindir = readable_bindir(bindir, account)
        _make_password(home, account)
        order = supervisor.Order(
            home=str(home),
            bindir=str(bindir),
            version=version,
            account=(account.uid, account.gid) if account else None,
            settings=self._settings,
            temporary=self._temporary,
            start_timeout=_START_TIMEOUT,
        )
        command = [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(asdict(order))]
        with (
            (home / supervisor.LOG).open("wb") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for its users: it goes when they are gone
            ) as process,
        ):
            answer, _ = process.communicate()
        problem = json.loads(answer)["error"] if answer else "its supervisor ended"
        if problem:
            raise DatabaseUnavailable(
                f"the local PostgreSQL {version} in {home} did not start: {problem}{_log_tail(home)}",
                hint="check the settings that it was given, and the free space",
            )


def _open_folder(home: Path, *, mode: int) -> int | None:
    """Make the folder where it is missing, and open it; None where it vanished in between."""
    try:
        for folder in (home.parent, home):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=folder is not home)
                folder.chmod(mode)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(
            f"{home} cannot be used for a local PostgreSQL: {error.strerror}",
            hint="name a folder that this user may write to",
        ) from None
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise ConfigurationError(
            f"{home} belongs to another user",
            hint="name a folder of your own: a server is shared by one user",
        )
    return descriptor


def _is_at(folder: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(folder), path.stat())
    except FileNotFoundError:
        return False


def _wait_for_lock(descriptor: int, *, shared: bool = False) -> bool:
    return supervisor.wait_for(
        lambda: supervisor.try_lock(descriptor, shared=shared), seconds=2 * _START_TIMEOUT
    )


def _is_free(name: str, folder: int) -> bool:
    descriptor = supervisor.open_lock(name, folder=folder)
    try:
        return supervisor.try_lock(descriptor)
    finally:
        os.close(descriptor)


def _look(home: Path) -> _Running | None:
    """The server, if it answers."""
    try:
        running = _Running(**json.loads((home / supervisor.STATE).read_text()))
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(f"{running.socket_directory}/.s.PGSQL.{supervisor.PORT}")
    except OSError:
        return None
    return running


def _make_password(home: Path, account: Account | None) -> None:
    """Write a password for initdb to read, which a server keeps for its life."""
    if (home / supervisor.PASSWORD).exists():
        return
    unfinished = home / f"{supervisor.PASSWORD}.new"
    unfinished.touch(mode=0o600)
    unfinished.write_text(secrets.token_hex(16))
    if account:
        os.chown(unfinished, account.uid, account.gid)
    unfinished.rename(home / supervisor.PASSWORD)


def _remove_if_abandoned(home: Path) -> None:
    """Delete the files of a temporary server where no supervisor is left to do it."""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        for name in (supervisor.LEASE, supervisor.SUPERVISOR):
            descriptor = supervisor.open_lock(home / name)
            stack.callback(os.close, descriptor)
            if not supervisor.try_lock(descriptor):
                return
        supervisor.remove(home)


def _log_tail(home: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (home / supervisor.LOG).read_text(errors="replace").strip().splitlines()
        return "".join(f"\n  {line}" for line in lines[-8:])
    return ""
