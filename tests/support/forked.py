"""Instances that start in a tenth of a second: forked from a process that has everything imported."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from support.packages import OWN_GROUP

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["corehost.host", "corehost.alembic.runner", "psycopg"])


class Instance:
    """One real process that migrates the tests' own plugins as a host does, and what came of it."""

    def __init__(self, url: str, *, path: Path, settings: Mapping[str, Any] | None = None):
        handle, self._file = tempfile.mkstemp(prefix="instance")
        os.close(handle)
        own = {"plugin_groups": [OWN_GROUP], "migration_groups": ["tests.migrations"]}
        arguments = (url, str(path), {**own, **(settings or {})}, self._file)
        self._process: BaseProcess = _CONTEXT.Process(target=_migrate, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def wait(self, seconds: float = 120) -> int | None:
        """Its exit code, the negative signal where it was killed; None where it did not end in time."""
        self._process.join(seconds)
        return self._process.exitcode

    def outcome(self) -> dict[str, Any]:
        """What it reported: ``applied``, ``error``, ``exit_code``; empty where it was killed."""
        text = Path(self._file).read_text()
        outcome: dict[str, Any] = json.loads(text) if text else {}
        return outcome

    def close(self) -> None:
        """Kill it if it still runs, and forget what it wrote."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        Path(self._file).unlink(missing_ok=True)


def _migrate(url: str, path: str, settings: dict[str, Any], file: str) -> None:
    sys.path.insert(0, path)
    from corehost.core.errors import MigrationError
    from corehost.host import Host

    outcome: dict[str, Any] = {"error": None, "exit_code": 0}
    try:
        report = Host.from_config(database_url=url, **settings).migrate()
    except MigrationError as error:
        outcome |= {"error": str(error), "exit_code": error.exit_code}
        report = error.report
    outcome["applied"] = [str(result.node) for result in report.applied] if report else []
    Path(file).write_text(json.dumps(outcome))
    os._exit(int(str(outcome["exit_code"])))
