"""Real processes for tests: started together, waited for with a bound, killed like an out-of-memory."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import corehost

PATIENCE = 60.0
"""How long a process or a condition is waited for, in seconds; a bound, never a measure."""

_SOURCE = str(Path(corehost.__file__).parents[1])
_REMOVED = ("COREHOST_", "PG", "DATABASE_URL", "PYTHONPATH")
_KEPT = "COREHOST_PG_BINDIR"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a process left behind."""

    returncode: int
    """Its exit code; the negative signal number where it was killed."""
    stdout: str
    """All that it wrote to standard output."""
    stderr: str
    """All that it wrote to standard error."""

    def json(self) -> Any:
        """The one JSON document of standard output."""
        return json.loads(self.stdout)


def environment(
    *, database: str | None = None, path: Sequence[Path | str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """This process's environment without what configures corehost or libpq, and with what is given.

    Args:
        database: the value of ``COREHOST_DATABASE_URL``.
        path: folders for the front of ``PYTHONPATH``; corehost's own source folder follows.
        extra: further variables.
    """
    kept = {
        name: value for name, value in os.environ.items() if name == _KEPT or not name.startswith(_REMOVED)
    }
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a fleet would compile everything anew in each process
    kept["COREHOST_CACHE_DIR"] = "/dev/null"  # no index of one test for another
    kept["PYTHONPATH"] = os.pathsep.join([*map(str, path), _SOURCE])
    if database is not None:
        kept["COREHOST_DATABASE_URL"] = database
    return kept | dict(extra or {})


def output_of(program: str) -> str:
    """What a program writes to standard output, run by this Python in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.stdout


def wait_until(condition: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """The condition's first true value; fails the test where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{condition} did not become true within {seconds:g} s")
        time.sleep(0.02)
    return value


def is_running(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")


class Process:
    """One process whose output goes to files, so that it never blocks on a full pipe."""

    def __init__(self, command: Sequence[str | Path], **options: Any):
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._stdout, stderr=self._stderr, **options
        )
        self.pid = self._popen.pid
        """Its process id."""

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    @property
    def stdout(self) -> str:
        """What it has written to standard output so far."""
        return _content(self._stdout)

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return _content(self._stderr)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._popen.send_signal(number)

    def kill(self) -> Finished:
        """kill -9, and what it had written until then."""
        self._popen.kill()
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> Finished:
        """Wait for its end; fails the test, with its output, where that does not come in time."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise AssertionError(
                f"{self._popen.args} did not end within {seconds:g} s\n{self.stdout}\n{self.stderr}"
            ) from None
        return Finished(returncode=self._popen.returncode, stdout=self.stdout, stderr=self.stderr)

    def wait_for_output(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until standard output or standard error has that text; fails the test where it ends before."""

        def written() -> bool:
            ended = not self.running  # before the look: what it wrote last counts
            if text in self.stdout or text in self.stderr:
                return True
            assert not ended, f"{self._popen.args} ended without {text!r}\n{self.stdout}\n{self.stderr}"
            return False

        wait_until(written, seconds=seconds)

    def close(self) -> None:
        """Kill it if it runs, and forget its output."""
        if self.running:
            self._popen.kill()
        self._popen.wait()
        self._stdout.close()
        self._stderr.close()


class Processes:
    """Starts processes and kills those that are left at the end of the test."""

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        self._started: list[Process] = []
        self._extra = dict(extra or {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self._started:
            process.close()

    def start(
        self,
        command: Sequence[str | Path],
        *,
        database: str | None = None,
        path: Sequence[Path | str] = (),
        extra: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Process:
        """Start any command; see :func:`environment`, and ``subprocess.Popen`` for the other options."""
        env = environment(database=database, path=path, extra={**self._extra, **(extra or {})})
        process = Process(command, env=env, **options)
        self._started.append(process)
        return process

    def python(self, code: str, *arguments: str, **options: Any) -> Process:
        """Start this Python with a piece of code, which may be indented, and its ``sys.argv[1:]``."""
        return self.start([sys.executable, "-c", textwrap.dedent(code), *arguments], **options)

    def python_as_ordinary_user(self, code: str, *arguments: str, **options: Any) -> Process:
        """The same as a user who is not root: this one, or ``nobody`` where this one is root."""
        command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
        return self.start([*_ordinary_user(), *command], **options)

    def corehost(self, *arguments: str, **options: Any) -> Process:
        """Start ``python -m corehost …``."""
        return self.start([sys.executable, "-m", "corehost", *arguments], **options)

    def together(self, number: int, *arguments: str, **options: Any) -> list[Process]:
        """Start ``python -m corehost …`` so many times at once."""
        return [self.corehost(*arguments, **options) for _ in range(number)]

    def run(self, *arguments: str, **options: Any) -> Finished:
        """Start ``python -m corehost …`` and wait for its end."""
        return self.corehost(*arguments, **options).wait()


def _ordinary_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    # root's Python may lie in a folder that is closed to others: this user may look there, no more
    capability = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", *capability]


def _content(file: Any) -> str:
    # not by seek: the process shares the file's position
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()
