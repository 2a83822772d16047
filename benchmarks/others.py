"""The same small work with Django's migrate and with Flask-Alembic, where it can be stated."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.apply import bare_sql
from benchmarks.check import check, floor, shown
from benchmarks.cost import ROUNDS, Cost, compared, run
from benchmarks.table import Table
from benchmarks.trees import CONTESTANTS, Tree, corehost, grow, small_change
from benchmarks.world import World

REVISIONS = 300
_SETTINGS = """\
import os

from psycopg.conninfo import conninfo_to_dict

_given = conninfo_to_dict(os.environ["BENCH_DATABASE_URL"])
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": _given["dbname"], "USER": _given["user"],
    "PASSWORD": _given["password"], "HOST": _given["host"], "PORT": _given["port"],
}}
INSTALLED_APPS = ["shop"]
"""
_MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = [migrations.RunSQL({statements!r})]
"""


def measure(world: World) -> Table:
    """300 small revisions in one line: nothing to do, and from empty."""
    tree = grow(world.site(), revisions=REVISIONS, body=small_change)
    django = _django(tree, bare_sql(tree))
    folder = tree.site / tree.names[0] / "migrations" / "versions"
    flask = [sys.executable, CONTESTANTS / "flask_check.py", folder]
    apply_with = {
        "corehost": corehost("migrate", "-q"),
        "Alembic alone": tree.alembic("upgrade", "heads"),
        "Flask-Alembic": [*flask, "upgrade"],
        "Django, the same SQL in RunSQL": [*django, "migrate", "-v0"],
    }
    with world.database() as url, world.database() as second, world.database() as third:
        for where, names in ((url, ("corehost", "Alembic alone")), (second, ("Flask-Alembic",))):
            for name in names:
                run(apply_with[name], _environment(tree, where))
                _drop_tables(where)
        run(apply_with["Django, the same SQL in RunSQL"], _environment(tree, third))
        run(corehost("index", "-q"), tree.environment(url))
        idle = compared(
            {
                "floor": floor(tree, url),
                "corehost check": check(tree, url),
                "Alembic alone": lambda: run(tree.alembic("current", "--check-heads"), tree.environment(url)),
                "Flask-Alembic": lambda: run([*flask, "check"], _environment(tree, second)),
                "Django, migrate --check": lambda: run(
                    [*django, "migrate", "--check", "-v0"], _environment(tree, third)
                ),
            },
            rounds=ROUNDS,
        )

    def from_empty(command: list[str | Path]) -> Cost:
        with world.database() as url:
            return run(command, _environment(tree, url))

    made = compared(
        {name: partial(from_empty, command) for name, command in apply_with.items()},
        rounds=ROUNDS,
    )
    rows = [["nothing to do", *row] for row in shown(idle)] + [["from empty", *row] for row in shown(made)]
    return Table(
        columns=("work", "by", "whole process", "of that CPU"),
        rows=rows,
        note=f"{REVISIONS} revisions in one line; medians of {ROUNDS} runs of each, in turn.",
    )


def _environment(tree: Tree, url: str) -> dict[str, str]:
    env = tree.environment(url)
    env["PYTHONPATH"] = os.pathsep.join([str(tree.site / "django"), env["PYTHONPATH"]])
    return env


def _drop_tables(url: str) -> None:
    """Two tools in one database: the tables of the one are in the way of the other."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname NOT LIKE 'alembic_version%'"
        ).fetchall()
        for (name,) in found:
            connection.execute(f'DROP TABLE public."{name}"')


def _django(tree: Tree, statements: Path) -> list[str | Path]:
    """A Django project whose migrations run the same SQL, without Alembic's version table."""
    project = tree.site / "django"
    (project / "shop" / "migrations").mkdir(parents=True)
    (project / "bench_settings.py").write_text(_SETTINGS)
    for package in ("shop", "shop/migrations"):
        (project / package / "__init__.py").write_text("")
    before = None
    for number, line in enumerate(statements.read_text().splitlines()):
        own = [statement for statement in json.loads(line) if "alembic_version" not in statement]
        name = f"m{number:04d}"
        (project / "shop" / "migrations" / f"{name}.py").write_text(
            _MIGRATION.format(dependencies=[("shop", before)] if before else [], statements=own)
        )
        before = name
    program = textwrap.dedent(
        """\
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "bench_settings"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """
    )
    (project / "manage.py").write_text(program)
    return [sys.executable, project / "manage.py"]
