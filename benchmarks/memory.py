"""How much memory a check, a pass and Alembic alone take at most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.apply import bare_sql
from benchmarks.check import stamp
from benchmarks.table import Table
from benchmarks.trees import CONTESTANTS, grow, small_change
from benchmarks.world import World

_PEAK = """\
import atexit, os, runpy, sys
sys.path[0] = os.getcwd()  # as with -m
def tell():
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(tell)
kind, name, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = name
runpy.run_module(name, run_name="__main__", alter_sys=True) if kind == "module" else runpy.run_path(
    name, run_name="__main__")
"""


def resident(pid: int) -> float:
    """The resident size of a process that runs, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def measure(world: World) -> Table:
    """The largest resident size that each has had."""
    large = grow(world.site(), revisions=3000, branches=50)
    tree = grow(world.site(), revisions=1000, body=small_change)
    statements = bare_sql(tree)
    rows = []
    with world.database() as url:
        stamp(large, url)
        env = large.environment(url)
        bare = {**env, "COREHOST_CACHE_DIR": "/dev/null"}
        rows += [
            _row("the floor: psycopg, one SELECT", env, "path", CONTESTANTS / "floor.py"),
            _row("corehost check, 3,000 revisions applied", env, "module", "corehost", "check", "-q"),
            _row("the same without an index", bare, "module", "corehost", "check", "-q"),
            _row(
                "Alembic alone, the same question",
                env,
                *("module", "alembic", "-c", large.ini, "current", "--check-heads"),
            ),
        ]
    for name, command in (
        ("corehost migrate, 1,000 small revisions", ("module", "corehost", "migrate", "-q")),
        ("Alembic alone, the same", ("module", "alembic", "-c", tree.ini, "upgrade", "heads")),
        ("psycopg, the same SQL", ("path", CONTESTANTS / "raw.py", statements)),
    ):
        with world.database() as url:
            rows.append(_row(name, tree.environment(url), *command))
    return Table(
        columns=("process", "largest resident size"),
        rows=rows,
        note=(
            "As the kernel tells it of each process at its end (VmHWM). "
            "The size of one that waits is under Waiting."
        ),
    )


def _row(name: str, env: dict[str, str], *command: str | Path) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", _PEAK, *command], env=env, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return [name, f"{int(finished.stderr.split()[-1]) / 1024:.0f} MB"]
