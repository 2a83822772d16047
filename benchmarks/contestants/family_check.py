"""Whether Alembic alone finds all of a family's trees at their heads: ``family_check.py PARTS``.

The least that it needs for that: no application is made, no environment is run.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from family_alone import trees, versions

url = os.environ["BENCH_DATABASE_URL"]
engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))


def is_current(connection, graph):
    first = graph[0]
    for tree in graph:
        for module in tree.get("preload", ()):
            importlib.import_module(module)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "stock"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(versions(tree) for tree in graph))
    if any(tree.get("recursive") for tree in graph):
        config.set_main_option("recursive_version_locations", "true")
    alone = len(graph) == 1 and first["name"] != first["schema"]
    table = first.get("version_table", f"alembic_version_{first['name']}" if alone else "alembic_version")
    context = MigrationContext.configure(
        connection, opts={"version_table": table, "version_table_schema": first["schema"]}
    )
    # As an upgrade asks: 'current --check-heads' would miss heads that others depend on, which have no row.
    scripts = ScriptDirectory.from_config(config)
    pending = scripts.iterate_revisions("heads", context.get_current_heads(), implicit_base=True)
    return next(pending, None) is None


with engine.connect() as connection:
    for part in json.loads(Path(sys.argv[1]).read_text()):
        found = list(trees(part["corehost"]))
        graphs = [found] if part["stock"].get("graph") == "one" else [[tree] for tree in found]
        for graph in graphs:
            assert is_current(connection, graph), graph
