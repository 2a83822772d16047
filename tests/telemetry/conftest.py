"""A host in this process, on a real database, whose passes are watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corehost import Host, Settings
from support.packages import OWN_GROUP, create_table, revision_source, spec, write_plugin

MakeHost = Callable[..., Host]

FAILS = create_table("half") + '\nop.execute("SELECT 1/0 -- postgresql://me:hunter2@db/shop")'


@pytest.fixture
def make_host(site: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeHost]:
    """A function that makes a host with two plugins; the second one's revision does what it is given."""
    before = set(sys.modules)

    def make(second: str = create_table("invoices"), **settings: object) -> Host:
        for name, upgrade in (("orders", create_table("orders")), ("invoices", second)):
            write_plugin(
                site,
                name,
                spec_source=spec(name, after=("orders",) if name == "invoices" else ()),
                revisions={f"{name}1": revision_source(f"{name}1", upgrade=upgrade)},
                group=OWN_GROUP,
            )
        monkeypatch.syspath_prepend(site)
        given = {"plugin_groups": [OWN_GROUP], "migration_groups": [], **settings}
        return Host(Settings(database_url=database, **given))  # type: ignore[arg-type]

    yield make
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("orders", "invoices"):
            del sys.modules[name]
