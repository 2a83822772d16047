"""What a start with nothing to do costs on real packages, beside Alembic alone on the same."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from benchmarks.check import FLOOR, goal
from benchmarks.cost import ROUNDS, compared, run
from benchmarks.table import ROOT, Table
from benchmarks.trees import CONTESTANTS
from benchmarks.world import World
from corpora.family import HERE, HOSTS, Family
from corpora.installing import environment_of
from support.processes import environment

FAMILIES = {"invenio": 0.12, "neutron-more": 0.25}
"""What is measured, and the goal against Alembic alone."""
CACHE = Path(os.environ.get("COREHOST_BENCH_CORPORA") or ROOT / ".nox" / ".cache" / "corpora")


def measure(world: World) -> Table:
    """Each family migrated by corehost in one database and by Alembic alone in another."""
    rows, goals = [], []
    for name, least in FAMILIES.items():
        family = Family.read(name)
        python = environment_of(family, CACHE.absolute())
        home = world.site()
        (home / "corehost.toml").write_text(family.toml)
        parts = home / "parts.json"
        parts.write_text(json.dumps(family.parts))
        alone = HERE / "stock" / "alembic_alone.py"
        ours = [python, "-m", "corehost"]
        with world.database() as url, world.database() as other:
            env, theirs = _environment(home, url), _environment(home, other)
            migrated = [*ours, "migrate", "-q", "--config", "corehost.toml"]
            run(migrated, env, cwd=home)
            run([python, alone, "family", other, parts], theirs, cwd=home)
            run([*ours, "index", "-q", "--config", "corehost.toml"], env, cwd=home)
            check = [*ours, "check", "-q", "--config", "corehost.toml"]
            stock = [python, CONTESTANTS / "family_check.py", parts]
            contestants = {
                f"corehost check, {name}": (check, env),
                "Alembic alone": (stock, theirs),
                FLOOR: ([python, CONTESTANTS / "floor.py"], env),
            }
            found = compared({who: partial(run, *given, cwd=home) for who, given in contestants.items()})
        rows += [
            [
                name,
                who.removesuffix(f", {name}"),
                f"{sample.wall * 1000:.0f} ms",
                f"{sample.cpu * 1000:.0f} ms",
            ]
            for who, sample in found.items()
        ]
        goals.append(goal(f"{name} family", found, name, "Alembic alone", least))
        goals.append(goal(f"{name} family", found, name, FLOOR, 1.5))
    return Table(
        columns=("family", "process", "whole process", "of that CPU"),
        rows=rows,
        note=f"Nothing is pending; medians of {ROUNDS} runs of each, in turn.",
        goals=goals,
    )


def _environment(home: Path, url: str) -> dict[str, str]:
    extra = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "COREHOST_CACHE_DIR": str(home / "cache"),
        "BENCH_DATABASE_URL": url,
    }
    return environment(database=url, path=[HOSTS, HERE / "stock"], extra=extra)
