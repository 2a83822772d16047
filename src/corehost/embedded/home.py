"""A server's folder: made, joined and removed by processes that know nothing of each other."""

from __future__ import annotations

import contextlib
import os
import secrets
from functools import partial
from pathlib import Path

from corehost.core.errors import ConfigurationError
from corehost.embedded import supervisor
from corehost.embedded.account import Account


class FolderVanished(Exception):
    """The folder was deleted while it was being joined: its last user has left just now."""


def open_folder(home: Path, *, mode: int) -> int:
    """Make the folder where it is missing, and open it.

    Raises:
        ConfigurationError: it cannot be made or opened, or it belongs to another user.
        FolderVanished: try again.
    """
    try:
        for folder in (home.parent, home):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=folder is not home)
                folder.chmod(mode)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FolderVanished from None
    except OSError as error:
        raise ConfigurationError(
            f"{home} cannot be used for a local PostgreSQL: {error.strerror}",
            hint="name a folder that this user may write to",
        ) from None
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise ConfigurationError(
            f"{home} belongs to another user",
            hint="name a folder of your own: a server is shared by one user's processes",
        )
    return descriptor


def open_lock(name: str, folder: int) -> int:
    """Open a lock of an open folder; raises FolderVanished where that is deleted."""
    try:
        return supervisor.open_lock(name, folder=folder)
    except FileNotFoundError:
        raise FolderVanished from None


def is_at(folder: int, path: Path) -> bool:
    """Whether the open folder is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(folder), path.stat())
    except FileNotFoundError:
        return False


def make_password(home: Path, account: Account | None) -> None:
    """Write a password for initdb to read, which a server keeps for its life."""
    if (home / supervisor.PASSWORD).exists():
        return
    unfinished = home / f"{supervisor.PASSWORD}.new"
    unfinished.touch(mode=0o600)
    unfinished.write_text(secrets.token_hex(16))
    if account:
        os.chown(unfinished, account.uid, account.gid)
    unfinished.rename(home / supervisor.PASSWORD)


def remove_if_abandoned(home: Path, *, supervisor_ends: bool = False) -> None:
    """Delete the files of a temporary server where no supervisor is left to do it, or it just ends."""
    patience = {
        supervisor.LEASE: 0,
        supervisor.SUPERVISOR: 2 if supervisor_ends else 0,
        supervisor.SERVER: 20,
    }
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        for name, seconds in patience.items():
            lock = supervisor.open_lock(home / name)
            stack.callback(os.close, lock)
            if not supervisor.wait_for(partial(supervisor.try_lock, lock), seconds=seconds):
                return
        supervisor.remove(home)


def open_log(home: Path) -> int:
    """The server's log, empty, open for appending."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    return os.open(home / supervisor.LOG, flags, 0o600)


def log_tail(home: Path) -> str:
    """The last lines of the server's log, each on a new line, for the end of a message."""
    with contextlib.suppress(OSError):
        lines = (home / supervisor.LOG).read_text(errors="replace").strip().splitlines()
        return "".join(f"\n  {line}" for line in lines[-8:])
    return ""
