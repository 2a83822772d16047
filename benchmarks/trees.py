"""Synthetic installations: plugins with lines of revisions, for corehost and for Alembic alone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from support.packages import OWN_GROUP, OWN_GROUPS, revision_source, spec, write_plugin
from support.processes import environment

HERE = Path(__file__).parent
CONTESTANTS = HERE / "contestants"
"""Programs that do the same work with other tools."""
_INI = """\
[alembic]
script_location = {here}
version_locations = {folders}
path_separator = os
version_path_separator = os
"""

Body = Callable[[str, int], str]


def nothing(branch: str, number: int) -> str:
    """A revision that does nothing."""
    return "pass"


def small_change(branch: str, number: int) -> str:
    """A small revision, as most are: a table, a column of it, an index on that, in turn."""
    table = f"{branch}_{number // 3}"
    name = 'sa.Column("name", sa.String(50), nullable=False)'
    return (
        f'op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True), {name})',
        f'op.add_column("{table}", sa.Column("size", sa.Integer))',
        f'op.create_index("{table}_size", "{table}", ["size"])',
    )[number % 3]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """An installation of so many plugins, with so many revisions in all."""

    site: Path
    """The folder for ``PYTHONPATH``."""
    branches: int
    revisions: int
    cache: Path
    """Where the index is kept."""

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins."""
        return tuple(f"b{number:04d}" for number in range(self.branches))

    def ids_of(self, branch: str) -> Iterator[str]:
        """The ids of a branch's revisions, the first one first."""
        place = self.names.index(branch)
        count = self.revisions // self.branches + (place < self.revisions % self.branches)
        return (f"{branch}r{number:05d}" for number in range(count))

    def environment(self, database: str, **settings: str) -> dict[str, str]:
        """That of a process which has these plugins; the same for everybody's."""
        extra = {f"COREHOST_{name.upper()}": value for name, value in settings.items()}
        extra |= {**OWN_GROUPS, "COREHOST_CACHE_DIR": str(self.cache), "BENCH_DATABASE_URL": database}
        return environment(database=database, path=[self.site], extra=extra)

    @cached_property
    def ini(self) -> Path:
        """The configuration that lets Alembic alone see all of the branches."""
        folders = os.pathsep.join(str(self.site / name / "migrations" / "versions") for name in self.names)
        file = self.site / "alembic.ini"
        file.write_text(_INI.format(here=CONTESTANTS / "stock", folders=folders))
        return file

    def alembic(self, *arguments: str) -> list[str | Path]:
        """The command line of Alembic alone."""
        return [sys.executable, "-m", "alembic", "-c", self.ini, *arguments]


def corehost(*arguments: str) -> list[str | Path]:
    """The command line of corehost."""
    return [sys.executable, "-m", "corehost", *arguments]


def grow(
    site: Path, *, revisions: int, branches: int = 1, body: Body = nothing, chained: bool = False
) -> Tree:
    """Install plugins; ``chained``: each requires the one before it."""
    tree = Tree(site=site, branches=branches, revisions=revisions, cache=site / "cache")
    before: tuple[str, ...] = ()
    for branch in tree.names:
        parent = None
        sources = {}
        for number, revision in enumerate(tree.ids_of(branch)):
            sources[revision] = revision_source(revision, parent, upgrade=body(branch, number))
            parent = revision
        fields = {"requires": before} if chained and before else {}
        write_plugin(site, branch, spec_source=spec(branch, **fields), revisions=sources, group=OWN_GROUP)
        before = (branch,)
    settle(site)
    return tree


def settle(folder: Path) -> None:
    """Let everything in a folder be an hour old, as what is installed mostly is."""
    then = time.time() - 3600
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then))
