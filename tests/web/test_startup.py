"""The way up of a host behind a gate, without a server."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable

import pytest

from corehost.core.errors import IncompatibleDatabase, MigrationError, PassStopped, PluginError, Where
from corehost.core.results import Readiness
from corehost.core.settings import Settings
from corehost.web.startup import Startup, delays
from support.processes import PATIENCE, wait_until
from support.serving import BlockingHost


def begun(host: BlockingHost) -> tuple[Startup, threading.Thread]:
    """A start-up on its way, and its thread."""
    startup = Startup(host)
    known = set(threading.enumerate())
    startup.begin(startup.open)
    (thread,) = set(threading.enumerate()) - known
    return startup, thread


def test_tries_are_ever_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delays double from one second to thirty, and are cut by at most a half."""
    monkeypatch.setattr("corehost.web.startup.between", lambda low, high: high)
    assert list(itertools.islice(delays(), 7)) == [1, 2, 4, 8, 16, 30, 30]
    monkeypatch.setattr("corehost.web.startup.between", lambda low, high: low)
    assert list(itertools.islice(delays(), 3)) == [0.5, 1, 2]


@pytest.mark.parametrize("error", [PluginError("wrong"), IncompatibleDatabase("too new")])
def test_what_cannot_pass_by_trying_is_not_tried_again(error: MigrationError) -> None:
    """After an error with exit code 2 or 5 the thread ends and the state stays failed."""
    host = BlockingHost(error)
    startup, thread = begun(host)
    host.release.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert (host.starts, startup.readiness().state, startup.serving) == (1, "failed", False)


def test_a_failure_names_branch_and_revision() -> None:
    """Where the host does not say what failed, the error's own branch, revision and first line do."""
    host = BlockingHost(
        IncompatibleDatabase("two lines\nof text", where=Where(branch="billing", revision="1c7e5ad0f923"))
    )
    startup, thread = begun(host)
    host.release.set()
    thread.join(PATIENCE)
    body = startup.readiness().as_dict()
    assert body.pop("since")
    assert body == {
        "format_version": "1.0",
        "ready": False,
        "state": "failed",
        "branch": "billing",
        "revision": "1c7e5ad0f923",
        "message": "two lines",
    }


def test_a_failure_is_shown_between_two_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the next try is waited for the state is failed, and an unforeseen error is not quoted."""
    monkeypatch.setattr("corehost.web.startup.between", lambda low, high: PATIENCE)
    host = BlockingHost(RuntimeError("hunter2"))
    startup, thread = begun(host)
    host.release.set()
    readiness = wait_until(lambda: (r := startup.readiness()).state == "failed" and r)
    assert readiness.message == "the start failed for an unforeseen reason; the log has it"
    startup.end()
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(3)])
def test_an_unforeseen_error_is_tried_again(error: BaseException) -> None:
    """A bug, or a revision that exits, leaves no start-up that hangs for ever."""
    host = BlockingHost(error)
    startup, _ = begun(host)
    host.release.set()
    wait_until(lambda: startup.serving)
    assert host.starts == 2


def test_a_host_that_is_ready_early_is_not_shown_ready() -> None:
    """Until the gate is open a ready host is reported as starting."""
    host = BlockingHost()
    host.say(ready=True, state="ready")
    assert Startup(host).readiness() == Readiness(
        ready=False, state="starting", message="the application is starting"
    )


def test_an_open_gate_waits_for_the_host() -> None:
    """A start that returns without a ready host lets no request pass until it is ready."""
    host = BlockingHost()
    startup = Startup(host)
    startup.open()
    assert not startup.serving
    host.say(ready=True, state="ready")
    assert startup.serving


def test_the_end_interrupts_the_wait_for_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """end() does not sit out a delay, and no further try is made."""
    monkeypatch.setattr("corehost.web.startup.between", lambda low, high: 10 * PATIENCE)
    host = BlockingHost(MigrationError("not today"))
    startup, thread = begun(host)
    host.release.set()
    wait_until(lambda: startup.readiness().state == "failed")
    startup.end()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert host.starts == 1


def test_the_end_waits_for_a_step_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """end() during a migration returns after the start is through, and stops the host only then."""
    monkeypatch.setattr("corehost.web.startup.GRACE", PATIENCE)
    host = BlockingHost()
    startup, _ = begun(host)
    assert host.running.wait(PATIENCE)
    ending = threading.Thread(target=startup.end)
    ending.start()
    host.release.set()
    ending.join(PATIENCE)
    assert not ending.is_alive()
    assert host.log[:2] == ["host started", "host stopped"]


def test_the_end_gives_up_on_a_step_that_does_not_end() -> None:
    """After the grace end() returns beside the running step, and does not stop the host under it."""
    host = BlockingHost()
    startup, thread = begun(host)
    assert host.running.wait(PATIENCE)
    startup.end()
    assert host.stops == 0
    host.release.set()
    thread.join(PATIENCE)
    assert host.log == ["host started", "host stopped"]


class SlowToPlan(BlockingHost):
    """A host that has no pass to be interrupted when it is asked for the first time."""

    asked = 0

    def interrupt(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            return False
        self.release.set()
        return True


def test_a_pass_that_begins_after_the_end_was_asked_for_is_interrupted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM while the host still finds out what is installed: the pass that follows is cut all the same."""
    monkeypatch.setattr("corehost.web.startup.GRACE", 10 * PATIENCE)
    host = SlowToPlan(PassStopped("the pass was asked to end"))
    startup, thread = begun(host)
    assert host.running.wait(PATIENCE)
    ending = threading.Thread(target=startup.end, daemon=True)
    ending.start()
    ending.join(PATIENCE)
    assert not ending.is_alive()
    assert not thread.is_alive()
    assert host.stops == 1


@pytest.mark.parametrize("error", [MigrationError("not today"), RuntimeError("a bug")])
def test_the_end_of_the_process_is_not_waited_for_by_the_end_of_the_host(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends for on_failure = "exit" stops the host on its way, and is kept up by no start."""
    left = threading.Event()
    codes: list[int] = []

    def end_process(code: int) -> None:
        codes.append(code)
        assert left.wait(PATIENCE)

    monkeypatch.setattr("corehost.web.startup.end_process", end_process)
    host = BlockingHost(error)
    host.settings = Settings(on_failure="exit")
    _, thread = begun(host)
    host.release.set()
    wait_until(lambda: codes)
    thread.join(PATIENCE / 2)
    assert not thread.is_alive()
    assert codes == [1]
    left.set()


def in_a_child(tell: Callable[[], object]) -> str:
    """What a process that is forked from this one has to tell."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, str(tell()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader) as pipe:
        return pipe.read()


FORKS = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@FORKS
def test_a_start_that_stayed_in_the_parent_is_told_of() -> None:
    """A server that forks in the middle of a start would leave its workers migrating for ever."""
    host = BlockingHost()
    startup, _ = begun(host)
    assert host.running.wait(PATIENCE)
    told = in_a_child(lambda: (startup.readiness().state, startup.readiness().message))
    assert told == "('failed', 'the start was begun before this process was forked; begin it in here')"
    assert startup.readiness().state == "migrating"
    host.release.set()


@FORKS
def test_a_child_of_a_server_does_not_stop_its_host() -> None:
    """Forked from a worker, it runs atexit's functions at its end, and they leave the host alone."""
    host = BlockingHost()
    startup, _ = begun(host)
    host.release.set()
    wait_until(lambda: startup.serving)
    assert in_a_child(lambda: (startup.end(), host.stops)) == "(None, 0)"
    startup.end()
    assert host.stops == 1
