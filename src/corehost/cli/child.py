"""Another program in this process's place, or as its child: signals passed on, orphans reaped."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

from corehost.cli.problems import UsageError

PASSED_ON: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
"""The signals that a child is sent when this process gets them."""

# Python ignores these in itself, and what is ignored stays so across exec: `yes | head` would not end.
_PYTHONS: Final = (signal.SIGPIPE, signal.SIGXFSZ)


def find_program(name: str) -> str:
    """The program's path, by ``PATH`` where the name has no slash. Raises UsageError."""
    path = shutil.which(name)
    if path is None:
        problem = "may not be executed" if os.path.exists(name) and os.sep in name else "is not found"
        raise UsageError(f"the command {name!r} {problem}", hint="nothing was migrated")
    return path


def become(path: str, arguments: tuple[str, ...]) -> NoReturn:
    """Let a program take this process's place; returns never. Raises UsageError where it cannot be run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    for number in _PYTHONS:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(path, arguments)
    except OSError as error:
        raise _cannot_be_run(path, error) from error


def attend(path: str, arguments: tuple[str, ...], *, started: Callable[[], None]) -> int:
    """Run a program as a child to its end, ``started`` called once it runs; returns its exit status.

    That is 128 + n where signal n ended it. The child has a process group of its own, which gets the
    terminal where there is one: what is typed there reaches it once, not by us a second time. Meanwhile
    every child of this process is reaped, also those that are inherited as a container's first process.
    Raises UsageError where the program cannot be run.
    """
    with _signals() as arrived:
        try:
            pid = os.posix_spawn(path, arguments, os.environ, setpgroup=0, setsigdef=_PYTHONS)
        except OSError as error:
            raise _cannot_be_run(path, error) from error
        with _terminal_of(pid):
            started()
            while True:
                status = _reaped(pid)
                if status is not None:
                    code = os.waitstatus_to_exitcode(status)
                    return code if code >= 0 else 128 - code
                for number in arrived():
                    os.kill(pid, number)  # not reaped yet, so the number is still its own


@contextmanager
def _signals() -> Iterator[Callable[[], list[int]]]:
    """Collect the signals to be passed on; what is yielded waits for some signal and returns those."""
    # A handler alone would not do: it runs once the main thread wakes, and another one may get the signal.
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)

    def arrived() -> list[int]:
        select.select([reader], [], [])
        with suppress(BlockingIOError):
            return [number for number in os.read(reader, 4096) if number in PASSED_ON]
        return []

    wanted = [number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in (*wanted, signal.SIGCHLD)}
    try:
        yield arrived
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(wakeup)
        os.close(reader)
        os.close(writer)


def _noted(number: int, frame: object) -> None:
    """Nothing: the pipe has it."""


def _reaped(pid: int) -> int | None:
    """Take in every child that has ended; the status of this one, where it is among them."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended in (0, pid):
            return status if ended else None


@contextmanager
def _terminal_of(pid: int) -> Iterator[None]:
    """Give the child's process group the terminal, if this process's group has it, and take it back."""
    terminal = next((fd for fd in (0, 1, 2) if _is_ours(fd)), None)
    if terminal is None:
        yield
        return
    _give(terminal, pid)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGCONT)  # it may have asked for the terminal before, and been stopped for it
    try:
        yield
    finally:
        _give(terminal, os.getpgrp())


def _is_ours(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def _give(terminal: int, group: int) -> None:
    # Who is not in the foreground is stopped by SIGTTOU for asking.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with suppress(OSError):  # it has ended already, or the terminal has gone
        os.tcsetpgrp(terminal, group)
    signal.signal(signal.SIGTTOU, before)


def _cannot_be_run(path: str, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be run: {error.strerror or error}")
