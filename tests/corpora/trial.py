"""One family on one PostgreSQL server: four instances at once, a fifth, one alone, and stock Alembic.

What stock Alembic has left is then adopted.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from corehost.embedded import LocalPostgres
from corpora.family import HERE, HOSTS, Family
from support.processes import Finished, Process, Processes

INSTANCES = 4
PATIENCE = 900.0
"""How long a process is waited for, in seconds; a bound, never a measure."""
_INSTANCE = re.compile(r" at [\w.-]+:\d+(?=:)")
_ERROR = re.compile(r"[\w.]*[A-Z]\w+: ")
_STOCK = HERE / "stock" / "alembic_alone.py"


class Failed(Exception):
    """What did not go well, in a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A family's environment and a server to run it on."""

    family: Family
    python: Path
    server: LocalPostgres
    bindir: Path
    place: Path
    """A folder of its own: home and working folder of every process."""
    running: Processes

    def run(self) -> dict[str, Any]:
        """What was found: ``outcome`` is ``same``, ``differs`` or ``fails``, with a ``reason``."""
        found: dict[str, Any] = {}
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "corehost.toml").write_text(self.family.toml)
        (self.place / "parts.json").write_text(json.dumps(self.family.parts))
        try:
            fleet = self._database()
            found |= self._fleet(fleet)
            self._one("corehost", self._corehost, found)
            stock = self._one("stock", self._stock, found)
            difference = self._difference(stock, fleet)
            found["adopted"] = self._adopted(stock)
            found |= {"outcome": "differs" if difference else "same", "reason": difference}
        except (Failed, AssertionError) as failure:
            found |= {"outcome": "fails", "reason": self._without_places(str(failure))}
            if "stock" not in found.get("seconds", {}):
                found["stock"] = self._stock_too()
        return found

    def _fleet(self, url: str) -> dict[str, Any]:
        started = [self._corehost(url) for _ in range(INSTANCES)]
        ended = [process.wait(PATIENCE) for process in started]
        # the cause before those who waited, or saw what it has left
        for one in sorted(ended, key=lambda one: one.returncode in (0, 4, 5)):
            _well(one)
        again = self._corehost(url).wait(PATIENCE)
        _well(again)
        if again.json()["applied"]:
            raise Failed("a fifth instance found something to do")
        applied = "SELECT branch, revision, action FROM corehost.step WHERE outcome = 'applied'"
        with psycopg.connect(url) as connection:
            ledger = connection.execute(applied).fetchall()
        said = Counter((step["branch"], step["revision"]) for one in ended for step in one.json()["applied"])
        if said != Counter((branch, revision) for branch, revision, _ in ledger):
            raise Failed("the instances did not apply each revision once")
        theirs = Counter(action for branch, _, action in ledger if branch != "corehost")
        branches = {branch for branch, *_ in ledger} - {"corehost"}
        return {"revisions": theirs.total(), "stamped": theirs["bootstrap"], "branches": len(branches)}

    def _adopted(self, url: str) -> int:
        """What Alembic alone has migrated is taken over, and nothing is pending: how many revisions."""
        adopted = self._corehost(url, "adopt", "--yes").wait(PATIENCE)
        _well(adopted)
        _well(self._corehost(url, "check").wait(PATIENCE))
        return sum(len(branch["applied"]) for branch in adopted.json()["branches"])

    def _one(self, who: str, start: Callable[[str], Process], found: dict[str, Any]) -> str:
        """A process of its own on an empty database, whose seconds are noted."""
        url = self._database()
        began = time.monotonic()
        ended = start(url).wait(PATIENCE)
        seconds = round(time.monotonic() - began, 2)
        _well(ended)
        found.setdefault("seconds", {})[who] = seconds
        return url

    def _stock_too(self) -> str:
        ended = self._stock(self._database()).wait(PATIENCE)
        return "runs" if ended.returncode == 0 else self._without_places(_last_line(ended.stderr))

    def _corehost(self, url: str, *command: str) -> Process:
        told = (*(command or ("migrate",)), "--json", "--config", "corehost.toml")
        return self._start("-m", "corehost", *told, database=url)

    def _stock(self, url: str) -> Process:
        # some modules that a host writes ask the environment for it
        return self._start(str(_STOCK), "family", url, "parts.json", database=url)

    def _start(self, *arguments: str, database: str) -> Process:
        # packages that write files at home write them here
        extra = {"HOME": str(self.place), "XDG_CONFIG_HOME": str(self.place / "config")}
        command = [self.python, *arguments]
        return self.running.start(command, database=database, path=[HOSTS], extra=extra, cwd=self.place)

    def _database(self) -> str:
        name = f"{self.family.name.replace('-', '_')}_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.server.url(), autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        return self.server.url(name)

    def _difference(self, stock: str, corehost: str) -> str:
        """The first lines that differ, or that somebody has written elsewhere; empty where nothing does."""
        one, other = self._dump(stock), self._dump(corehost)
        if not any("CREATE TABLE" in line for line in one):
            return "Alembic alone makes no table"
        changed = [
            line
            for line in difflib.unified_diff(one, other, lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))
        ]
        return "\n".join(changed[:12])

    def _dump(self, url: str) -> list[str]:
        """pg_dump's text of everything but the version tables and corehost's own schema, sorted by object."""
        tables = {"alembic_version*", *_version_tables(self.family.settings)}
        command = [self.bindir / "pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--no-comments"]
        command += ["--exclude-schema=corehost", *(f"--exclude-table=*.{table}" for table in tables), url]
        written = subprocess.check_output(command, text=True)
        # Newer ones guard their output with a word that is another one each time.
        guards = ("\\restrict ", "\\unrestrict ", "--", "CREATE SCHEMA public")
        return [line for line in written.splitlines() if line and not line.startswith(guards)]

    def _without_places(self, text: str) -> str:
        """The text without what is this machine's or this run's alone."""
        environment = self.python.parents[1]
        for folder in (*environment.glob("lib/*/site-packages"), environment, self.place):
            text = text.replace(f"{folder}/", "")
        return _INSTANCE.sub("", text)


def _well(ended: Finished) -> None:
    if ended.returncode == 0:
        return
    try:
        error = ended.json()["error"]
    except (ValueError, KeyError):
        raise Failed(_last_line(ended.stderr)) from None
    names = (error.get("branch"), error.get("revision"))
    # what follows says where, which the page's row does
    message = error["message"].partition(" (branch ")[0]
    raise Failed(f"{' '.join(name for name in names if name)}: {message}".removeprefix(": "))


def _last_line(text: str) -> str:
    """The line that names the error, without the statement and the hints that follow it; else the last."""
    lines = text.splitlines()
    named = [line for line in lines if _ERROR.match(line)]
    return (named or [line for line in lines if line] or ["it said nothing"])[-1]


def _version_tables(settings: dict[str, Any]) -> Sequence[str]:
    mounts = settings.get("mounts", {}).values()
    return [mount["version_table"] for mount in mounts if "version_table" in mount]
