"""``corehost run``: the pass, then a command in its place, or as its child beside the health endpoints."""

from __future__ import annotations

import ctypes
import os
import pty
import re
import signal
import socket
import sys

import httpx
import psycopg
import pytest

from corehost.cli.child import find_program
from corehost.cli.entrypoint import Entrypoint
from corehost.cli.problems import UsageError
from corehost.core.namespace import lock_key
from support.packages import create_table, revision_source
from support.processes import Process, wait_until
from support.serving import BlockingHost
from support.shop import Shop

BOTH = pytest.mark.parametrize("options", [[], ["--health-port", "0"]], ids=["in its place", "as a child"])
AS_PARENT = ["--health-port", "0", "--health-address", "127.0.0.1"]
SUBREAPER = 36  # prctl(2), PR_SET_CHILD_SUBREAPER

PAUSES = "import signal; print('up', flush=True); signal.pause()"
CATCHES = """
import signal, sys, time
numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT,
           signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH]
for number in numbers:
    signal.signal(number, lambda number, frame: print("got", signal.Signals(number).name, flush=True))
print("up", flush=True)
while True:
    time.sleep(60)
"""


def command(code: str, *arguments: str) -> list[str]:
    """The arguments that let ``corehost run`` run a piece of Python."""
    return ["--", sys.executable, "-c", code, *arguments]


def probe(running: Process, path: str = "/readyz") -> httpx.Response:
    """The answer of the health port that a process has told of."""
    running.wait_for_output("health endpoints on port ")
    port = re.search(r"health endpoints on port (\d+)", running.stderr)
    assert port is not None
    return httpx.get(f"http://127.0.0.1:{port[1]}{path}", timeout=30)


@BOTH
def test_runs_the_command_on_a_migrated_database(shop: Shop, options: list[str]) -> None:
    """The command finds the tables, its arguments, the environment, and standard output to itself."""
    shop.install("orders")
    code = """
import os, psycopg, sys
with psycopg.connect(os.environ["COREHOST_DATABASE_URL"]) as connection:
    print(*sys.argv[1:], *connection.execute("SELECT to_regclass('orders.orders')").fetchone())
"""
    finished = shop.run("run", *options, *command(code, "--json", "-x"))
    assert (finished.returncode, finished.stdout) == (0, "--json -x orders.orders\n"), finished.stderr


@BOTH
@pytest.mark.parametrize(
    ("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 10)", -10)]
)
def test_ends_as_the_command_does(shop: Shop, options: list[str], code: str, status: int) -> None:
    """Its exit status is the command's; a parent tells of a signal n as 128 + n."""
    shop.install("orders")
    expected = 128 - status if options and status < 0 else status
    assert shop.run("run", *options, *command(code)).returncode == expected


def test_takes_the_place_of_corehost(shop: Shop) -> None:
    """Without a health port the command has the process id that corehost had."""
    shop.install("orders")
    running = shop.start("run", *command("import os; print(os.getpid())"))
    assert int(running.wait().stdout) == running.pid


@BOTH
def test_leaves_the_command_the_signals_of_a_shell(shop: Shop, options: list[str]) -> None:
    """What Python ignores in itself is not ignored in the command: `yes | head` ends."""
    shop.install("orders")
    program = ["--", "/bin/sh", "-c", "exec grep SigIgn /proc/self/status"]
    ignored = int(shop.run("run", *options, *program).stdout.split()[1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)


@BOTH
def test_does_not_run_after_a_failed_pass(shop: Shop, options: list[str]) -> None:
    """Where the migration fails the command is not run, and the exit code is that of migrate."""
    upgrade = create_table("orders") + '\nop.execute("SELECT 1/0")'
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    finished = shop.run("run", *options, *command("print('ran')"), extra={"COREHOST_ON_FAILURE": "exit"})
    assert (finished.returncode, finished.stdout) == (1, "")


@BOTH
def test_looks_for_the_command_first(shop: Shop, options: list[str]) -> None:
    """A command that is not there ends with 2, and nothing is migrated for it."""
    shop.install("orders")
    finished = shop.run("run", *options, "--", "no-such-program")
    assert finished.returncode == 2
    assert "the command 'no-such-program' is not found; nothing was migrated" in finished.stderr
    assert not shop.has_table("orders.orders")


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("./no-such-file", "is not found"),
        ("/etc/passwd", "may not be executed"),
        ("/etc", "may not be executed"),
    ],
)
def test_what_is_no_program(program: str, problem: str) -> None:
    """A path is told apart from a name: what is there may not be executable."""
    with pytest.raises(UsageError, match=f"the command '{program}' {problem}"):
        find_program(program)


@BOTH
def test_a_file_that_is_no_program(shop: Shop, options: list[str]) -> None:
    """An executable file that the system cannot run ends with 2 and its name."""
    shop.install("orders")
    file = shop.folder / "script"
    file.write_bytes(b"\x00nothing")
    file.chmod(0o755)
    finished = shop.run("run", *options, "--", str(file))
    assert finished.returncode == 2
    assert f"{file} cannot be run" in finished.stderr


@pytest.mark.parametrize(
    ("mode", "code", "ran"), [("migrate", 0, True), ("wait", 4, False), ("check", 3, False), ("off", 0, True)]
)
def test_does_what_the_mode_says(shop: Shop, mode: str, code: int, ran: bool) -> None:
    """Another job may have to migrate: COMMAND runs on what is there, or not at all."""
    shop.install("orders")
    extra = {"COREHOST_MODE": mode, "COREHOST_WAIT_TIMEOUT": "100ms" if mode == "wait" else "1min"}
    finished = shop.run("run", *command("print('ran')"), extra=extra)
    assert (finished.returncode, finished.stdout) == (code, "ran\n" if ran else "")
    assert shop.has_table("orders.orders") == (mode == "migrate")


def test_tries_again_beside_the_health_port(shop: Shop) -> None:
    """A migration that fails keeps probes at 503; once it can be done COMMAND runs."""
    flag = shop.folder / "go"
    upgrade = f"import pathlib\nassert pathlib.Path({str(flag)!r}).exists()\n{create_table('orders')}"
    shop.install("orders", {"o1": revision_source("o1", upgrade=upgrade)})
    running = shop.start("run", "--metrics", *AS_PARENT, *command(PAUSES))
    running.wait_for_output("next try in")
    failed = probe(running, "/health")
    assert (failed.status_code, failed.json()["state"]) == (503, "failed")
    assert 'corehost_retries_total{reason="start"}' in probe(running, "/metrics").text
    flag.touch()
    running.wait_for_output("up\n")
    assert probe(running).status_code == 200


@pytest.mark.parametrize("arguments", [[], ["--"], ["--nonsense", "true"], ["--health-port", "x", "true"]])
def test_wrong_usage(shop: Shop, arguments: list[str]) -> None:
    """No command, or an option that is wrong, ends with 2."""
    assert shop.run("run", *arguments).returncode == 2


def test_a_port_that_is_taken(shop: Shop) -> None:
    """A health port that somebody else listens on ends with 2 before anything is migrated."""
    shop.install("orders")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--health-port", port, "--health-address", "127.0.0.1"]
        finished = shop.run("run", *options, *command("pass"))
    assert finished.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be listened on" in finished.stderr
    assert not shop.has_table("orders.orders")


def test_answers_throughout(shop: Shop) -> None:
    """Alive all the time; ready only while the command runs."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        running = shop.start("run", *AS_PARENT, *command(PAUSES))
        running.wait_for_output("waiting for namespace 'orders'")
        assert probe(running, "/livez").status_code == 200
        waiting = probe(running, "/health")
        assert (waiting.status_code, waiting.json()["state"]) == (503, "waiting")
        assert waiting.headers["Retry-After"] == "1"
    running.wait_for_output("up")
    assert {probe(running, path).status_code for path in ("/livez", "/readyz", "/health")} == {200}
    assert probe(running).json()["state"] == "ready"


def test_passes_signals_on(shop: Shop) -> None:
    """Each of the signals reaches the command, which may do with it what it likes."""
    shop.install("orders")
    running = shop.start("run", *AS_PARENT, *command(CATCHES))
    running.wait_for_output("up")
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"):
        running.send(signal.Signals[f"SIG{name}"])
        running.wait_for_output(f"got SIG{name}\n")
    assert probe(running).status_code == 200


def test_an_ignored_signal_stays_ignored(shop: Shop) -> None:
    """What the parent of corehost has it ignore (nohup) is not passed on."""
    shop.install("orders")
    code = "import signal; print(signal.getsignal(signal.SIGHUP).name, 'up', flush=True); signal.pause()"
    running = shop.start(
        "run", *AS_PARENT, *command(code), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    running.wait_for_output("SIG_IGN up")
    running.send(signal.SIGHUP)
    running.send(signal.SIGTERM)
    assert running.wait().returncode == 128 + signal.SIGTERM


@BOTH
def test_termination_during_the_pass(shop: Shop, options: list[str]) -> None:
    """SIGTERM while the pass waits ends it with 143, and the command is not run."""
    shop.install("orders")
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [lock_key("orders")])
        running = shop.start("run", *options, *command("print('ran')"))
        running.wait_for_output("waiting for namespace 'orders'")
        running.send(signal.SIGTERM)
        finished = running.wait()
    assert (finished.returncode, finished.stdout) == (143, "")


def test_reaps_orphans(shop: Shop) -> None:
    """A grandchild that the command leaves behind, and that then ends, does not stay a zombie."""
    shop.install("orders")
    code = """
import os, signal, sys
if os.fork() == 0:
    if os.fork() == 0:
        print("orphan", os.getpid(), flush=True)
        signal.pause()
    os._exit(0)
os.wait()
signal.pause()
"""
    libc = ctypes.CDLL(None)
    # What PID 1 is by itself: orphans become its children. Kept across exec, not across fork.
    running = shop.start("run", *AS_PARENT, *command(code), preexec_fn=lambda: libc.prctl(SUBREAPER, 1))
    orphan = int(wait_until(lambda: re.search(r"orphan (\d+)\n", running.stdout))[1])
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{orphan}"))
    assert probe(running).status_code == 200


def test_ctrl_c_reaches_the_command_once(shop: Shop) -> None:
    """On a terminal the command is in the foreground: what is typed reaches it, and not twice."""
    shop.install("orders")
    main, terminal = pty.openpty()

    def at_terminal() -> None:
        os.setsid()
        os.close(os.open(os.ttyname(terminal), os.O_RDWR))  # the first one opened becomes the session's own
        os.dup2(terminal, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    running = shop.start("run", *AS_PARENT, *command(CATCHES), preexec_fn=at_terminal)
    running.wait_for_output("up")
    os.write(main, b"\x03")
    running.wait_for_output("got SIGINT")
    running.send(signal.SIGTERM)
    running.wait_for_output("got SIGTERM")
    assert running.stdout.count("got SIGINT") == 1
    os.close(main)
    os.close(terminal)


def test_says_that_the_command_has_ended() -> None:
    """Once the command has ended probes get 503 again."""
    host = BlockingHost()
    entrypoint = Entrypoint(host)
    host.say(ready=True, state="ready")
    before = entrypoint.readiness()
    entrypoint.started()
    during = entrypoint.readiness()
    entrypoint.ended(3)
    after = entrypoint.readiness()
    assert [before.ready, during.ready, after.ready] == [False, True, False]
    assert after.message == "the command has ended with exit status 3"
