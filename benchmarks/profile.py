"""Where the time of a pass goes: the CPU of 1,000 small revisions, by whose code it is spent in."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.table import Table
from benchmarks.trees import grow, small_change
from benchmarks.world import World

REVISIONS = 1000
_PROFILED = """\
import cProfile, json, os, pstats, sys, time
from corehost.cli import main
LOADING = {"<built-in method builtins.exec>", "<built-in method builtins.compile>"}
profile = cProfile.Profile(time.process_time)
profile.enable()
code = main(["migrate", "-q"])
profile.disable()
from importlib.util import find_spec
parts = {name: os.path.dirname(find_spec(name).origin)
    for name in ("corehost", "sqlalchemy", "alembic", "psycopg", "psycopg_binary", "click")}
found = {}
for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():
    part = next((part for part, folder in parts.items() if file.startswith(folder + os.sep)), "Python itself")
    if "importlib" in file or "marshal" in name or name in LOADING:
        part = "importing, and executing revision files"
    elif "method" in name and "send" in name:
        part = "psycopg"
    found[part] = found.get(part, 0.0) + own
print(json.dumps([code, found]))
"""


def measure(world: World) -> Table:
    """Own time of every function, added up."""
    tree = grow(world.site(), revisions=REVISIONS, body=small_change)
    with world.database() as url:
        text = subprocess.check_output(
            [sys.executable, "-c", _PROFILED], env=tree.environment(url), text=True
        )
    code, found = json.loads(text)
    assert code == 0
    whole = sum(found.values())
    return Table(
        columns=("code of", "part of the CPU"),
        rows=[
            [name, f"{own / whole:.0%}"]
            for name, own in sorted(found.items(), key=lambda item: item[1], reverse=True)
        ],
        note=f"{REVISIONS:,} small revisions from empty, under cProfile, which makes small functions dear.",
    )
