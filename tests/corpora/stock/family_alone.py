"""Runs a family's trees with Alembic, each schema's in ``public``, which then gets the schema's name.

It gets no ``extra_edges``: Alembic fails (KeyError) in its version table where a revision depends on another
and on that one's ancestor, as Invenio's do when they find each other's packages importable. ``targets`` say
what is upgraded first in their place.
"""

import importlib
import importlib.util
import os
import re
from argparse import Namespace
from contextlib import nullcontext
from importlib.metadata import entry_points
from pathlib import Path

import sqlalchemy.orm
from alembic import command
from alembic.config import Config

assert sqlalchemy.orm  # revision files use sa.orm without importing it


def upgrade_family(engine, parts):
    for part in parts:
        host, stock = part["corehost"], part["stock"]
        with imported(stock["context"])() if "context" in stock else nullcontext():
            by_schema = {}
            for tree in in_order(list(trees(host))):
                by_schema.setdefault(tree["schema"], []).append(tree)
            for schema, theirs in by_schema.items():
                with engine.begin() as connection:
                    extensions = {name for tree in theirs for name in tree.get("extensions", ())}
                    for name in sorted(extensions):
                        connection.exec_driver_sql(f'CREATE EXTENSION IF NOT EXISTS "{name}"')
                for graph in [theirs] if stock.get("graph") == "one" else [[tree] for tree in theirs]:
                    with engine.connect() as connection:
                        upgrade(connection, graph, stock.get("targets"))
                if schema != "public":
                    rename_public(engine, schema, extensions)


def trees(host):
    """Every branch that the host's settings name, as the settings of one mount."""
    mounts = dict(host.get("mounts", {}))
    for group in host.get("migration_groups", ()):
        for point in entry_points(group=group):
            name = re.sub(r"[-.]", "_", point.name).lower()
            mounts[name] = {"migrations": point.value, **mounts.get(name, {})}
    for name in sorted(mounts.keys() - set(host.get("disabled", ()))):
        yield {"name": name, "schema": name, "target": "heads", **mounts[name]}


def in_order(found):
    """The same, each after those that it requires."""
    ordered = []
    while found:
        done = {tree["name"] for tree in ordered}
        tree = next(tree for tree in found if done >= {*tree.get("requires", ()), *tree.get("after", ())})
        found.remove(tree)
        ordered.append(tree)
    return ordered


def upgrade(connection, graph, targets):
    first = graph[0]
    x_arguments = first.get("x_arguments", {})
    config = Config(cmd_opts=Namespace(x=[f"{key}={value}" for key, value in x_arguments.items()]))
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(versions(tree) for tree in graph))
    if any(tree.get("recursive") for tree in graph):
        config.set_main_option("recursive_version_locations", "true")
    for key, value in first.get("options", {}).items():
        config.set_main_option(key, value)
    config.attributes["options"] = first.get("options", {})
    for tree in graph:
        for module in tree.get("preload", ()):
            importlib.import_module(module)
    alone = len(graph) == 1 and first["name"] != first["schema"]
    config.attributes["connection"] = connection
    config.attributes["transaction_per_migration"] = True
    config.attributes["version_table"] = first.get(
        "version_table", f"alembic_version_{first['name']}" if alone else "alembic_version"
    )
    if "metadata" in first:
        config.attributes["metadata"] = imported(first["metadata"])
    if "bootstrap" in first:
        with connection.begin():
            imported(first["bootstrap"])(connection)
        command.stamp(config, first["target"])
        return
    for target in targets or [first["target"]]:
        command.upgrade(config, target)


def versions(tree):
    package, _, folder = tree["migrations"].partition(":")
    found = importlib.util.find_spec(package).submodule_search_locations
    path = next(Path(place, folder) for place in found if Path(place, folder).is_dir())
    return str(path / "versions" if (path / "versions").is_dir() else path)


def rename_public(engine, schema, extensions):
    with engine.begin() as connection:
        connection.exec_driver_sql("COMMENT ON SCHEMA public IS NULL")
        connection.exec_driver_sql(f'ALTER SCHEMA public RENAME TO "{schema}"')
        connection.exec_driver_sql("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        for name in sorted(extensions):
            connection.exec_driver_sql(f'ALTER EXTENSION "{name}" SET SCHEMA public')


def imported(path):
    module, _, attributes = path.partition(":")
    found = importlib.import_module(module)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found
