"""A PostgreSQL cluster of a test's own, which may be stopped, started and reconfigured."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from corehost.embedded.account import readable_bindir, server_account


class Cluster:
    """Made by initdb, run by pg_ctl, deleted at the end; a Unix socket, and TCP where that is asked for."""

    def __init__(self, bindir: Path, settings: Mapping[str, str] = MappingProxyType({})):
        self._account = server_account()
        self._bindir = readable_bindir(bindir, self._account) if self._account else bindir
        self._settings = {"fsync": "off", "listen_addresses": "", **settings}
        self._directory = Path(tempfile.mkdtemp(prefix="cluster", dir="/var/tmp"))
        self._data = self._directory / "data"
        self._primary: str | None = None

    @property
    def url(self) -> str:
        """The conninfo of its one database, over the Unix socket."""
        return f"host={self._directory} port=5432 user=postgres dbname=postgres"

    def standby(self) -> Cluster:
        """A hot standby of this cluster, which replicates from when it is entered."""
        other = Cluster(self._bindir, self._settings)
        other._primary = self.url
        return other

    def __enter__(self) -> Self:
        if self._account is not None:
            os.chown(self._directory, self._account.uid, self._account.gid)
        if self._primary is None:
            self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")
        else:
            backup = ("--dbname", self._primary, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
            self._run("pg_basebackup", *backup)
        with (self._data / "postgresql.conf").open("a") as file:
            for name, value in (self._settings | {"unix_socket_directories": str(self._directory)}).items():
                file.write(f"{name} = '{value}'\n")
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet trust\n")
        self.control("start")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.control("stop", mode="immediate")
        shutil.rmtree(self._directory, ignore_errors=True)

    def control(
        self,
        what: Literal["start", "stop", "restart"],
        *,
        mode: Literal["smart", "fast", "immediate"] = "fast",
    ) -> None:
        """pg_ctl; returns when it is done."""
        options = [] if what == "start" else ["--mode", mode]
        self._run("pg_ctl", what, "--wait", "--silent", "--log", str(self._directory / "log"), *options)

    def _run(self, program: str, *arguments: str) -> None:
        options = {}
        if self._account is not None:
            options = {"user": self._account.uid, "group": self._account.gid, "extra_groups": []}
        subprocess.run(
            [self._bindir / program, "--pgdata", self._data, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server would hold a pipe open
            cwd=self._directory,
            **options,  # type: ignore[call-overload]
        )
