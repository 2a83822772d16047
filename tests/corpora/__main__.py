"""``python -m corpora [FAMILY …]``: host real packages, keep what was found, write it into the docs."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corehost import __version__
from corehost.embedded import LocalPostgres, find_bindir
from corpora.family import Family, names
from corpora.installing import ROOT, CannotInstall, environment_of
from corpora.results import VERSIONS, expected, keep, key, read, write_page
from corpora.trial import Trial
from support.processes import Processes


def main(arguments: list[str]) -> int:
    """Try what is named, by default all that was not tried as it is now; 1 where a result is unexpected."""
    parser = argparse.ArgumentParser(prog="corpora", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="by default all that there are")
    parser.add_argument("--cache", type=Path, required=True, help="where the environments are kept")
    parser.add_argument("--postgresql", choices=VERSIONS, action="append", help="by default each")
    parser.add_argument("--again", action="store_true", help="also what was tried already")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.families) - set(names())):
        parser.error(f"no such family: {', '.join(unknown)}; there are {', '.join(names())}")
    surprises = []
    with ExitStack() as stack:
        servers: dict[str, LocalPostgres] = {}
        for name in asked.families or names():
            family = Family.read(name)
            for version in asked.postgresql or VERSIONS:
                last = read().get(key(name, version), {})
                known = last.get("definition") == family.definition and expected(family, version, last)
                if known and not asked.again:
                    continue
                if version not in servers:
                    servers[version] = stack.enter_context(_server(version))
                print(f"{name}, PostgreSQL {version} …", flush=True)
                found = _tried(family, version, servers[version], asked.cache.absolute())
                print(f"  {found}", flush=True)
                keep(name, version, found)
                write_page()
                if not expected(family, version, found):
                    surprises.append(key(name, version))
    write_page()
    if surprises:
        print(f"not as expected: {', '.join(surprises)}")
    return 1 if surprises else 0


def _server(version: str) -> LocalPostgres:
    # not below the cache, which may be closed to the user that root runs PostgreSQL as
    directory = Path("/var/tmp", f"corehost-corpora-{uuid.uuid4().hex[:12]}")
    return LocalPostgres(directory, find_bindir(int(version)), temporary=True)


def _state() -> str:
    """corehost's version and the last commit of its sources, with a plus sign where they are others."""
    try:
        commit = _git("log", "-1", "--abbrev=10", "--format=%h", "--", "src")
        changed = _git("status", "--porcelain", "--", "src")
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} {commit}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _tried(family: Family, version: str, server: LocalPostgres, cache: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "definition": family.definition,
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "corehost": _state(),
    }
    try:
        python = environment_of(family, cache)
    except CannotInstall as error:
        return found | {"outcome": "fails", "reason": f"cannot be installed: {error}"}
    with Processes() as running:
        trial = Trial(
            family=family,
            python=python,
            server=server,
            bindir=find_bindir(int(version)),
            place=cache / family.name / f"home-{version}",
            running=running,
        )
        return found | trial.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
