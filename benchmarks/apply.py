"""What a pass costs: many small revisions from empty, beside other tools and beside the bare SQL."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.cost import ROUNDS, Cost, compared, run
from benchmarks.table import Goal, Table
from benchmarks.trees import CONTESTANTS, Tree, corehost, grow, small_change
from benchmarks.world import World

REVISIONS = 1000
OPERATIONS = "Alembic's operations alone, a transaction each, with a version row"


def measure(world: World) -> Table:
    """Apply the same revisions of one branch with each."""
    tree = grow(world.site(), revisions=REVISIONS, body=small_change)
    commands = {
        "corehost": corehost("migrate", "-q"),
        "Alembic alone, a transaction per migration": tree.alembic("upgrade", "heads"),
        OPERATIONS: [
            sys.executable,
            CONTESTANTS / "operations.py",
            tree.site / tree.names[0] / "migrations" / "versions",
        ],
        "psycopg: the same SQL, a transaction each, with the version row": [
            sys.executable,
            CONTESTANTS / "raw.py",
            bare_sql(tree),
        ],
    }
    found = compared({name: partial(_from_empty, world, tree, given) for name, given in commands.items()})
    own, alembic, least, bare = found.values()
    goals = [
        Goal(
            what=f"{REVISIONS:,} small revisions from empty, whole process",
            against=against,
            goal=goal,
            wall=own.wall / sample.wall,
            cpu=own.cpu / sample.cpu,
        )
        for (against, sample), goal in zip(found.items(), (None, 0.7, None, 1.8), strict=True)
        if goal is not None
    ]
    rows = [
        [
            name,
            f"{sample.wall:.2f} s",
            f"{sample.cpu:.2f} s",
            f"{(sample.cpu - bare.cpu) / REVISIONS * 1000:.2f} ms",
        ]
        for name, sample in found.items()
    ]
    return Table(
        columns=("by", "whole process", "of that CPU", "CPU for a revision, beyond the bare SQL's"),
        rows=rows,
        note=(
            f"{REVISIONS:,} revisions, each a table, a column or an index, into an empty database; "
            f"medians of {ROUNDS} runs of each, in turn. Alembic's operations alone are the least that runs "
            f"revisions as they are written: {least.wall / alembic.wall:.2f} of Alembic alone, and "
            f"{least.wall / bare.wall:.2f} of the bare SQL."
        ),
        goals=goals,
    )


def bare_sql(tree: Tree) -> Path:
    """The statements of each revision's transaction as Alembic writes them, one JSON list a line."""
    command = tree.alembic("upgrade", "heads", "--sql")
    text = subprocess.check_output(command, env=tree.environment(""), text=True, stderr=subprocess.DEVNULL)
    file = tree.site / "statements.jsonl"
    with file.open("w") as lines:
        for block in text.split("BEGIN;\n")[1:]:
            code = "\n".join(line for line in block.partition("COMMIT;")[0].splitlines() if line[:3] != "-- ")
            lines.write(json.dumps([part.strip() for part in code.split(";\n") if part.strip()]) + "\n")
    return file


def _from_empty(world: World, tree: Tree, command: list[str | Path]) -> Cost:
    with world.database() as url:
        return run(command, tree.environment(url))
