"""The process that owns one postmaster; started as a script, with the standard library alone.

It starts PostgreSQL, tells its starter once the server answers, and stops the server when nobody holds
the lease any more. Everybody who uses the server holds the lease shared; the kernel drops it with the
process that held it, kill -9 included. Standard error is the server's log. In the server's folder:

- ``lease``            shared: a user of the server; exclusive: the supervisor, stopping
- ``starting.lock``    whoever looks for the server, and starts it where there is none
- ``supervisor.lock``  the supervisor
- ``server.lock``      the supervisor while it starts the server, then PostgreSQL's own processes
- ``server.json``      where the server is; ``password``, ``server.log``, ``data/``, ``socket/``
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

STARTING, LEASE, SUPERVISOR, SERVER = "starting.lock", "lease", "supervisor.lock", "server.lock"
STATE, PASSWORD, LOG, SUPERUSER, PORT = "server.json", "password", "server.log", "postgres", 5432

_LOOK_EVERY = 0.1
_MAX_SOCKET_PATH = 100  # sockaddr_un has room for 103 bytes on macOS, 107 on Linux
_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = ("PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What the supervisor is told to run."""

    home: str
    """The server's folder; it exists."""
    bindir: str
    """The folder of ``postgres`` and ``initdb``."""
    version: str
    """The version of these."""
    account: tuple[int, int] | None
    """User and group id to run PostgreSQL as; None: those of the supervisor."""
    settings: dict[str, str]
    """PostgreSQL settings, given on its command line."""
    temporary: bool
    """Whether the folder is deleted once the last user has left."""
    start_timeout: float
    """How long initdb and the server's start may take together, in seconds."""


class StartError(Exception):
    """PostgreSQL did not start; the text says why."""


def open_lock(path: str | Path, *, folder: int | None = None) -> int:
    """Open a lock file, made where it does not exist, relative to an open folder where one is given."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=folder)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take a file's lock if nobody is in the way."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for(condition: Callable[[], object], *, seconds: float) -> bool:
    """Ask again and again until the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def remove(home: Path) -> None:
    """Delete a server's folder, and the one around it where it was alone in there.

    It is renamed first, so that whoever starts a server at the same path meets no half-deleted one.
    """
    gone = home.with_name(f"{home.name}.{os.getpid()}.gone")
    with contextlib.suppress(OSError):
        home.rename(gone)
        for _ in range(3):  # somebody who opened it under its old name may make a lock file meanwhile
            shutil.rmtree(gone, ignore_errors=True)
        home.parent.rmdir()


def spawn_tied(
    command: Sequence[str],
    *,
    death_signal: signal.Signals,
    account: tuple[int, int] | None = None,
    keep_open: Sequence[int] = (),
    output: int = subprocess.DEVNULL,
    use_prctl: bool = sys.platform == "linux",
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes] | None]:
    """Start a process that gets a signal when this one dies, whatever it dies of.

    Linux does that by itself. Elsewhere a shell does it, which waits for the end of a pipe that only
    this process can write to: the second value, to be killed when the first has ended.
    """
    mother = os.getpid()
    prctl: Callable[..., int] | None = ctypes.CDLL(None).prctl if use_prctl else None

    def tie() -> None:
        # after setuid, which clears the death signal: subprocess changes the user before it calls this
        if prctl and prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0):
            os._exit(126)
        if os.getppid() != mother:
            os._exit(126)

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C"},
        user=account[0] if account else None,
        group=account[1] if account else None,
        extra_groups=[] if account else None,
        pass_fds=keep_open,
        preexec_fn=tie,
    )
    if prctl:
        return process, None
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; kill -s "$1" "$2"', "sh", death_signal.name[3:], str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return process, watcher


class Supervisor:
    """One server from its start to its end."""

    def __init__(self, order: Order):
        self._order = order
        self._home = Path(order.home)
        self._socket = self._home / "socket"
        self._watcher: subprocess.Popen[bytes] | None = None
        self._told_to_stop = False

    def run(self, answer: Callable[[dict[str, str]], None]) -> None:
        """Start the server, answer the starter, and stay until it is to be stopped."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        alone = open_lock(self._home / SUPERVISOR)
        lease = open_lock(self._home / LEASE)
        running = open_lock(self._home / SERVER)
        try:
            if not try_lock(alone):
                raise StartError("another supervisor is at work")
            if not wait_for(lambda: try_lock(running), seconds=self._order.start_timeout):
                raise StartError("a server that lost its supervisor is still running")
            self._initialise(running)
            postmaster = self._start(running)
        except (StartError, OSError) as error:
            answer({"error": str(error)})
            return
        os.close(running)  # from here on PostgreSQL's own processes hold it
        self._write_state(postmaster.pid)
        answer({"error": ""})
        unused = False
        while postmaster.poll() is None and not self._told_to_stop and not (unused := try_lock(lease)):
            time.sleep(_LOOK_EVERY)
        self._end(postmaster)
        if unused and self._order.temporary:
            remove(self._home)

    def _stop(self, number: int, frame: object) -> None:
        self._told_to_stop = True

    def _initialise(self, running: int) -> None:
        """Make the data folder, under another name until it is complete."""
        data, half = self._home / "data", self._home / "data.new"
        if data.exists():
            return
        shutil.rmtree(half, ignore_errors=True)
        self._make_folder(half)
        password = self._home / PASSWORD
        command = [f"{self._order.bindir}/initdb", "-D", str(half), "-U", SUPERUSER, f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        process, watcher = spawn_tied(
            command, death_signal=signal.SIGTERM, account=self._order.account, keep_open=[running], output=2
        )
        try:
            code = process.wait(self._order.start_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise StartError(f"initdb was not done within {self._order.start_timeout:g} s") from None
        finally:
            _dismiss(watcher)
        if code:
            raise StartError(f"initdb ended with code {code}")
        half.rename(data)

    def _start(self, running: int) -> subprocess.Popen[bytes]:
        self._choose_socket()
        pid_file = self._home / "data" / "postmaster.pid"
        ours = {"listen_addresses": "", "unix_socket_directories": f'"{self._socket}"', "port": str(PORT)}
        command = [f"{self._order.bindir}/postgres", "-D", str(self._home / "data")]
        for name, value in (self._order.settings | ours).items():
            command += ["-c", f"{name}={value}"]
        postmaster, self._watcher = spawn_tied(
            command, death_signal=signal.SIGQUIT, account=self._order.account, keep_open=[running], output=2
        )

        def ready() -> bool:
            with contextlib.suppress(OSError):
                lines = pid_file.read_text().splitlines()
                # it grows line by line: PostgreSQL's own pg_ctl looks at the same two
                return lines[:1] == [str(postmaster.pid)] and "".join(lines[7:8]).strip() == "ready"
            return False

        wait_for(lambda: postmaster.poll() is not None or ready(), seconds=self._order.start_timeout)
        if postmaster.poll() is not None:
            _dismiss(self._watcher)
            raise StartError(f"postgres ended with code {postmaster.returncode}")
        if not ready():
            self._end(postmaster)
            raise StartError(f"postgres was not ready within {self._order.start_timeout:g} s")
        return postmaster

    def _choose_socket(self) -> None:
        if len(os.fsencode(self._socket / f".s.PGSQL.{PORT}.lock")) > _MAX_SOCKET_PATH:
            with contextlib.suppress(OSError, ValueError, KeyError):  # what a killed supervisor left
                shutil.rmtree(json.loads((self._home / STATE).read_text())["socket_directory"])
            self._socket = Path(tempfile.mkdtemp(prefix="corehost-", dir="/tmp"))
        self._make_folder(self._socket)

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._order.account:
            os.chown(folder, *self._order.account)

    def _write_state(self, postmaster: int) -> None:
        state: dict[str, object] = {"supervisor": os.getpid(), "postmaster": postmaster}
        state |= {"socket_directory": str(self._socket), "version": self._order.version}
        unfinished = self._home / f"{STATE}.new"
        unfinished.write_text(json.dumps(state))
        unfinished.replace(self._home / STATE)

    def _end(self, postmaster: subprocess.Popen[bytes]) -> None:
        """Stop the server: at once where its data is thrown away, with a checkpoint where it stays."""
        signals = [signal.SIGQUIT, signal.SIGKILL]
        for number in signals if self._order.temporary else [signal.SIGINT, *signals]:
            if postmaster.poll() is None:
                postmaster.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    postmaster.wait(timeout=20)
        _dismiss(self._watcher)
        with contextlib.suppress(OSError):
            (self._home / STATE).unlink()
        if self._socket.parent != self._home:
            shutil.rmtree(self._socket, ignore_errors=True)


def _dismiss(watcher: subprocess.Popen[bytes] | None) -> None:
    if watcher:
        watcher.kill()
        watcher.communicate()


def main(order: str) -> None:
    """Become nobody's child, so that nobody has to wait for it, and supervise."""
    if os.fork():
        os._exit(0)
    os.umask(0o077)

    def answer(message: dict[str, str]) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(message).encode())
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.close(null)

    Supervisor(Order(**json.loads(order))).run(answer)


if __name__ == "__main__":
    main(sys.argv[1])
