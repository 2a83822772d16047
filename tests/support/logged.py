"""Plugins whose every revision says in a table that it ran, beside what the ledger says of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import psycopg

from support.packages import OWN_GROUP, revision_source, spec, write_plugin

write_own = partial(write_plugin, group=OWN_GROUP)
"""Writes a plugin that does not meet the examples, which may be installed."""

LOG = """
CREATE TABLE public.ran (
  branch text, revision text, pid int, at timestamptz DEFAULT clock_timestamp()
)"""


def with_log(url: str) -> str:
    """The URL of an empty database, after it was given the table in which revisions say that they ran."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOG)
    return url


def revision(
    branch: str, number: int, body: str = "", depends_on: str | None = None, **attributes: object
) -> str:
    """A revision that makes a table, says in ``public.ran`` that it ran, and then does what is given."""
    upgrade = (
        f'op.create_table("t{number}", sa.Column("id", sa.Integer, primary_key=True))\n'
        f"op.execute(\"INSERT INTO public.ran VALUES ('{branch}', '{branch}{number}', pg_backend_pid())\")\n"
        f"{body}"
    )
    down = f"{branch}{number - 1}" if number > 1 else None
    return revision_source(f"{branch}{number}", down, depends_on, upgrade, **attributes)  # type: ignore[arg-type]


def plugin(site: Path, name: str, *revisions: str, **fields: object) -> None:
    """A plugin with these revisions, in a row."""
    sources = {f"{number:04}": source for number, source in enumerate(revisions, 1)}
    write_own(site, name, spec_source=spec(name, **fields), revisions=sources)


def watcher(site: Path, file: Path, *, group: str = OWN_GROUP) -> None:
    """A plugin that notes the process id of each pass that finds something to do, a line each."""
    hook = f"""\
    @corehost.hookimpl
    def corehost_before_migrate(plan):
        import os
        with open({str(file)!r}, "a") as file:
            file.write(f"{{os.getpid()}}\\n")
    """
    write_plugin(site, "watcher", spec_source=spec("watcher", migrations=None), hooks=hook, group=group)


def ran(url: str) -> list[str]:
    """Every run of a revision that is committed, as the revisions themselves say, sorted."""
    with psycopg.connect(url) as connection:
        return sorted(row[0] for row in connection.execute("SELECT revision FROM public.ran"))


def recorded(url: str, outcome: str = "applied") -> list[str]:
    """Every attempt with that outcome, as the ledger says, sorted; its own revisions left out."""
    statement = "SELECT revision FROM corehost.step WHERE branch <> 'corehost' AND outcome = %s"
    with psycopg.connect(url) as connection:
        return sorted(row[0] for row in connection.execute(statement, (outcome,)))
