"""Who PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from corehost.core.errors import ConfigurationError

_NAMES = ("postgres", "nobody")
_COPIES = Path("/var/tmp")
_NEEDED_OF_A_PREFIX = ("bin", "lib", "lib64", "share")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An unprivileged user that root runs PostgreSQL as."""

    name: str
    """Its name."""
    uid: int
    """Its user id."""
    gid: int
    """Its group id; it is given no other group."""

    def can_run(self, *command: str | Path) -> bool:
        """Whether that command succeeds when this user runs it."""
        return _succeeds(command, self)


def server_account() -> Account | None:
    """The user to run PostgreSQL as: None, which is the present one, unless that is root.

    Raises:
        ConfigurationError: this is root, and it can become neither ``postgres`` nor ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
        if account.can_run("true"):  # not so in a user namespace that maps root alone
            return account
    raise ConfigurationError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_NAMES)} to run it as",
        hint="run this as an ordinary user",
    )


def temporary_root(account: Account | None) -> Path:
    """A folder for temporary files that the server can reach."""
    chosen = Path(tempfile.gettempdir())
    return chosen if account is None or account.can_run("test", "-x", chosen) else Path("/var/tmp")


def check_reach(folder: Path, account: Account) -> None:
    """Refuse a folder that lies under one that the server's user may not enter.

    Raises:
        ConfigurationError: it does; nobody's folders are opened for it.
    """
    if not account.can_run("test", "-x", folder):
        raise ConfigurationError(
            f"{folder} cannot be reached by {account.name}, the user that PostgreSQL runs as under root",
            hint="name a folder under /var/tmp, or run this as an ordinary user",
        )


def readable_bindir(bindir: Path, account: Account) -> Path:
    """The same programs where that user may run them: in place, or copied to ``/var/tmp``.

    The copy is made once for each installation. A package folder and its ``.libs`` stay side by side:
    the programs find their libraries by that.

    Raises:
        ConfigurationError: they do not run as that user, or the copy's place is somebody else's.
    """
    if account.can_run(bindir / "postgres", "--version"):
        return bindir
    parts, inside = _what_to_copy(bindir)
    stamp = f"{bindir}\0{(bindir / 'postgres').stat().st_mtime_ns}\0{account.uid}"
    copy = _COPIES / f"corehost-postgres-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    if not copy.exists():
        _copy(parts, copy)
    found = copy.lstat()
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise ConfigurationError(f"{copy} belongs to somebody else", hint="remove it, and try again")
    if not account.can_run(copy / inside / "postgres", "--version"):
        raise ConfigurationError(
            f"{bindir / 'postgres'} runs as root, but neither it nor its copy in {copy} as {account.name}",
            hint="install PostgreSQL where every user may run it, or run this as an ordinary user",
        )
    return copy / inside


def _what_to_copy(bindir: Path) -> tuple[Sequence[Path], Path]:
    """What to copy side by side, and where the programs are in the copy."""
    for package in bindir.parents[:-1]:
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            return (package, libraries), bindir.relative_to(package.parent)
    prefix = bindir.parent
    return [prefix / name for name in _NEEDED_OF_A_PREFIX if (prefix / name).is_dir()], Path(bindir.name)


def _copy(parts: Sequence[Path], copy: Path) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    for part in parts:
        shutil.copytree(part, unfinished / part.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        unfinished.rename(copy)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)


def _succeeds(command: Sequence[str | Path], account: Account) -> bool:
    try:
        done = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
