"""A real pgbouncer between the instances and the server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from corehost.embedded.account import server_account

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_PORT = "6432"


class Pooler:
    """pgbouncer in one of its modes, before one database; on a Unix socket of its own."""

    def __init__(self, url: str, mode: Literal["transaction", "session"], *, size: int = 8):
        self._target = conninfo_to_dict(url)
        self._mode = mode
        self._size = size
        self._directory = Path(tempfile.mkdtemp(prefix="pooler", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._start: Callable[[], subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        """The database's conninfo, by way of the pooler."""
        return make_conninfo(**{**self._target, "host": str(self._directory), "port": _PORT})

    def __enter__(self) -> Self:
        assert PROGRAM is not None, "pgbouncer is not installed"
        target = self._target
        users = self._directory / "users.txt"
        users.write_text(f'"{target["user"]}" "{target["password"]}"\n')
        config = self._directory / "pgbouncer.ini"
        config.write_text(
            f"""[databases]
{target["dbname"]} = host={target["host"]} port={target.get("port") or 5432} dbname={target["dbname"]}
[pgbouncer]
listen_port = {_PORT}
unix_socket_dir = {self._directory}
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {self._mode}
default_pool_size = {self._size}
max_client_conn = 400
ignore_startup_parameters = extra_float_digits
logfile = {self._directory}/log
"""
        )
        account = server_account()
        options: dict[str, Any] = {}
        if account is not None:
            for path in (self._directory, users, config):
                os.chown(path, account.uid, account.gid)
            options = {"user": account.uid, "group": account.gid, "extra_groups": []}
        self._start = partial(subprocess.Popen, [PROGRAM, "-q", str(config)], **options)
        self._process = self._start()
        self._wait()
        return self

    def restart(self) -> None:
        """Kill it, with every connection that goes through it, and start it again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def __exit__(self, *exc_info: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
