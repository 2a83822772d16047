"""Several versions of one plugin side by side on one database, each installed in a site of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from support.packages import revision_source
from support.processes import Processes
from support.shop import Shop

Deploy = Callable[..., Shop]
"""``deploy("2.0", {file: source})``: that version of plugin ``orders``; others' names with ``name=``."""

CREATE = (
    'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.Text))'
)
EXPAND = 'op.add_column("orders", sa.Column("remark", sa.Text))'
CONTRACT = 'op.drop_column("orders", "note")'

V1 = {"o1": revision_source("o1", upgrade=CREATE)}
"""Makes the table, with the column note."""
V2 = V1 | {"o2": revision_source("o2", "o1", upgrade=EXPAND)}
"""Adds the column that takes its place."""
V3 = V2 | {"o3": revision_source("o3", "o2", upgrade=CONTRACT, phase="contract")}
"""Drops note, which v2 needed no more."""


@pytest.fixture
def deploy(shop: Shop, processes: Processes) -> Deploy:
    """Installs a version of a plugin beside the others that were installed before."""

    def deployed(version: str, revisions: Mapping[str, str], *, name: str = "orders", **given: Any) -> Shop:
        site = shop.site.parent / f"{name}-{version}"
        site.mkdir()
        one = Shop(processes=processes, site=site, folder=shop.folder, database=shop.database)
        one.install(name, revisions, version=version, **given)
        return one

    return deployed
