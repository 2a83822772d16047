"""A local PostgreSQL from its start to its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from corehost.core.errors import ConfigurationError, CorehostError, DatabaseUnavailable
from corehost.embedded import LocalPostgres, binaries
from support.processes import Process, Processes, is_running, wait_until

_USER = """
import sys, time
from pathlib import Path
from corehost.embedded import LocalPostgres
folder, bindir, temporary = sys.argv[1:]
server = LocalPostgres(Path(folder), Path(bindir), temporary=temporary == "temporary").start()
print(server.pid, server.supervisor_pid, server.url(), "started", flush=True)
time.sleep(600)
"""


def use(processes: Processes, folder: Path, bindir: Path, kind: str = "lasting") -> Process:
    """Start a process that uses the server in that folder until it is killed."""
    return processes.python(_USER, str(folder), str(bindir), kind)


def pids(user: Process) -> tuple[int, int]:
    """The postmaster and the supervisor that a using process has met."""
    user.wait_for_output("started")
    postmaster, supervisor = user.stdout.split()[:2]
    return int(postmaster), int(supervisor)


def value_of(server: LocalPostgres, setting: str) -> str:
    """A setting as the server has it."""
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


def test_a_server_without_a_folder_leaves_nothing(bindir: Path) -> None:
    """It takes connections, and once it is left neither process nor folder stays."""
    with LocalPostgres(bindir=bindir) as server:
        assert server.server_version == binaries.version_of(bindir)
        assert value_of(server, "server_version").startswith(server.server_version)
        assert value_of(server, "fsync") == "off"
        pid, folder = server.pid, server.directory
    assert folder is not None
    wait_until(lambda: not is_running(pid) and not folder.exists())


@pytest.mark.parametrize("found", sorted(set(binaries._candidates())), ids=binaries.version_of)
def test_every_postgresql_found_here_starts(found: Path) -> None:
    """Whichever server programs are installed, the launcher can run them."""
    with LocalPostgres(bindir=found) as server:
        assert value_of(server, "server_version_num").startswith(str(binaries.major(server.server_version)))


def test_settings_reach_the_server(bindir: Path) -> None:
    """What the caller gives wins over the defaults, and comes beside them."""
    given = {"max_connections": "20", "max_prepared_transactions": "7"}
    with LocalPostgres(bindir=bindir, settings=given) as server:
        assert [value_of(server, name) for name in given] == ["20", "7"]


def test_there_is_no_tcp_and_no_trust(bindir: Path) -> None:
    """The server has only its Unix socket, and wants its password there."""
    with LocalPostgres(bindir=bindir) as server:
        assert value_of(server, "listen_addresses") == ""
        assert value_of(server, "password_encryption") == "scram-sha-256"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(make_conninfo(server.url(), password="guessed"))


def test_the_url_names_any_database(bindir: Path) -> None:
    """A name with characters that mean something in a URL comes back as it was."""
    with LocalPostgres(bindir=bindir) as server:
        assert conninfo_to_dict(server.url("a b/c?d"))["dbname"] == "a b/c?d"


def test_six_processes_at_once_have_one_postmaster(scratch: Path, bindir: Path, processes: Processes) -> None:
    """Whoever comes first starts the server, and all others join it."""
    users = [use(processes, scratch / "shared", bindir) for _ in range(6)]
    assert len({pids(user) for user in users}) == 1


def test_the_server_stays_while_somebody_uses_it(scratch: Path, bindir: Path, processes: Processes) -> None:
    """The one that started it may be killed: the others keep it."""
    first = use(processes, scratch / "shared", bindir)
    pid, _ = pids(first)
    with LocalPostgres(scratch / "shared", bindir) as server:
        first.kill()
        with LocalPostgres(scratch / "shared", bindir) as again:
            assert again.pid == server.pid == pid
        assert value_of(server, "port") == "5432"


def test_killing_its_only_user_ends_the_server(scratch: Path, bindir: Path, processes: Processes) -> None:
    """kill -9 leaves no server behind, and of a temporary one no file."""
    user = use(processes, scratch / "shared", bindir, "temporary")
    postmaster, supervisor = pids(user)
    user.kill()
    wait_until(lambda: not is_running(postmaster) and not is_running(supervisor))
    wait_until(lambda: not (scratch / "shared").exists())


def test_killing_the_starter_in_the_middle_leaves_nothing(
    scratch: Path, bindir: Path, processes: Processes
) -> None:
    """kill -9 while initdb runs: what was begun is brought to its end and cleared away."""
    user = use(processes, scratch / "shared", bindir, "temporary")
    wait_until(lambda: list(scratch.glob("shared/*/data.new")))
    user.kill()
    wait_until(lambda: not (scratch / "shared").exists())


def test_killing_the_supervisor_ends_the_server(scratch: Path, bindir: Path, processes: Processes) -> None:
    """A server never runs on without the process that would stop it; the next user gets a new one."""
    postmaster, supervisor = pids(use(processes, scratch / "shared", bindir))
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not is_running(postmaster))
    with LocalPostgres(scratch / "shared", bindir) as server:
        assert server.pid != postmaster
        assert value_of(server, "port") == "5432"


def test_a_temporary_server_without_its_supervisor_is_cleared_away(scratch: Path, bindir: Path) -> None:
    """The last user deletes the files where the supervisor no longer can."""
    with LocalPostgres(scratch / "shared", bindir, temporary=True) as server:
        os.kill(server.supervisor_pid, signal.SIGKILL)
        supervisor = server.supervisor_pid
        wait_until(lambda: not is_running(supervisor))
    assert not (scratch / "shared").exists()


def test_a_terminated_supervisor_stops_the_server(scratch: Path, bindir: Path) -> None:
    """SIGTERM, as at a shut-down of the machine, stops the server in order: nothing is recovered later."""
    with LocalPostgres(scratch / "shared", bindir) as server:
        pid = server.pid
        os.kill(server.supervisor_pid, signal.SIGTERM)
        wait_until(lambda: not is_running(pid))
    assert "database system is shut down" in next(scratch.glob("shared/*/server.log")).read_text()


def test_a_named_folder_keeps_its_data(scratch: Path, bindir: Path) -> None:
    """What one server wrote is there in the next one, which is as careful as PostgreSQL is."""
    with LocalPostgres(scratch / "kept", bindir) as server:
        assert value_of(server, "fsync") == "on"
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        pid = server.pid
    wait_until(lambda: not is_running(pid))
    with LocalPostgres(scratch / "kept", bindir) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_long_path_has_its_socket_elsewhere(scratch: Path, bindir: Path) -> None:
    """A path too long for a socket's address works, blanks included, and the socket's folder goes too."""
    with LocalPostgres(scratch / ("long path " * 12), bindir, temporary=True) as server:
        assert value_of(server, "port") == "5432"
        socket_folder = Path(str(conninfo_to_dict(server.url())["host"]))
        assert scratch not in socket_folder.parents
    wait_until(lambda: not socket_folder.exists())


def test_a_setting_that_postgresql_refuses_is_told(scratch: Path, bindir: Path) -> None:
    """A server that does not start says why in the error, and a temporary one leaves nothing."""
    server = LocalPostgres(scratch / "shared", bindir, {"work_mem": "much"}, temporary=True)
    with pytest.raises(DatabaseUnavailable, match=r'(?s)not start.*invalid value for parameter "work_mem"'):
        server.start()
    assert not (scratch / "shared").exists()


def test_a_folder_that_cannot_be_made_is_an_error(scratch: Path, bindir: Path) -> None:
    """The error names the folder."""
    (scratch / "file").touch()
    with pytest.raises(ConfigurationError, match=rf"{scratch}/file/\d+ cannot be used.*Not a directory"):
        LocalPostgres(scratch / "file", bindir).start()


def test_there_is_no_url_before_the_start() -> None:
    """Asking too early is an error that says what to call."""
    with pytest.raises(CorehostError, match=r"not started.*start\(\)"):
        LocalPostgres().url()


def test_an_ordinary_user_can_run_it(bindir: Path, processes: Processes) -> None:
    """PostgreSQL then runs as that user: this one, or under root one that is not root."""
    code = """
        import os, sys
        from pathlib import Path
        from corehost.embedded import LocalPostgres
        with LocalPostgres(bindir=Path(sys.argv[1])) as server:
            print(os.geteuid(), os.stat(f"{server.directory}/{server.server_version[:2]}/data").st_uid)
            print(server.pid, server.supervisor_pid, server.directory)
    """
    done = processes.python_as_ordinary_user(code, str(bindir)).wait()
    assert done.returncode == 0, done
    user, owner, *pids, folder = done.stdout.split()
    assert user == owner != "0"
    wait_until(lambda: not any(is_running(int(pid)) for pid in pids) and not Path(folder).exists())
