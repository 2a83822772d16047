"""Stock Alembic on one tree, or on all of a family, in a process of its own; it knows nothing of corehost.

``upgrade URL VERSIONS SCHEMA`` runs the tree to its head in ``public``, and gives that the schema's name.
``read URL VERSIONS SCHEMA`` writes what Alembic reads of the tree and of the schema's version table as JSON.
``family URL PARTS`` runs every tree that a file names, schema by schema: see :mod:`family_alone`.
"""

import json
import sys
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

action, url, *rest = sys.argv[1:]
engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
if action == "family":
    from family_alone import upgrade_family

    upgrade_family(engine, json.loads(Path(rest[0]).read_text()))
    sys.exit()

versions, schema = rest
config = Config()
config.set_main_option("script_location", str(Path(__file__).parent))
config.set_main_option("version_locations", versions)
with engine.begin() as connection:
    if action == "upgrade":
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql("COMMENT ON SCHEMA public IS NULL")
        connection.exec_driver_sql(f"ALTER SCHEMA public RENAME TO {schema}")
    else:
        scripts = ScriptDirectory.from_config(config)
        context = MigrationContext.configure(connection, opts={"version_table_schema": schema})
        read = {
            "revisions": sorted(script.revision for script in scripts.walk_revisions()),
            "heads": sorted(scripts.get_heads()),
            "current": sorted(context.get_current_heads()),
        }
        print(json.dumps(read))
