"""The page about the life of a host is held against the state machine, and its code is run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from corehost.core.life import TRANSITIONS, may_serve
from corehost.core.settings import Settings, check_setting
from support.packages import create_table, revision_source, write_plugin
from support.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "life.md").read_text()
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def block(begin: str) -> str:
    """The code block that begins so."""
    (found,) = (text for _, text in _FENCE.findall(PAGE) if text.startswith(begin))
    return str(found)


def test_the_diagram_has_every_way_from_one_state_to_another() -> None:
    """Its arrows are the transitions of the state machine, but for the end, and for what changes nothing."""
    drawn = set(re.findall(r"^ +(\w+) --> (\w+): (\w+)$", PAGE, re.MULTILINE))
    assert drawn == {
        (state, following, event)
        for state, events in TRANSITIONS.items()
        for event, following in events.items()
        if event != "end" and following != state
    }


def test_the_table_says_who_may_serve() -> None:
    """A state's row begins its last column with 200 exactly where the instance may serve."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\d{3})[^|]*\|$", PAGE, re.MULTILINE)
    assert dict(rows) == {s: "200" if may_serve(s, needs_database=False) else "503" for s in TRANSITIONS}


def test_the_settings_are_the_defaults() -> None:
    """Each setting of the page is there, with the default that the page gives."""
    given = tomllib.loads(block("[tool.corehost]"))["tool"]["corehost"]
    assert {name: check_setting(name, value) for name, value in given.items()} == {
        name: getattr(Settings(), name) for name in given
    }


def test_the_code_runs(shop: Shop) -> None:
    """The revision is applied, and the plugin of the last example is added to a host that serves."""
    revision = block("# orders/")
    shop.install("orders", {"7c0f2e5a91d4_fill_totals": revision})
    late = "corehost.PluginSpec(name='parcels', migrations='parcels:migrations', requires=('orders',))"
    source = revision_source("p1", upgrade=create_table("t"))
    write_plugin(shop.site, "parcels", spec_source=late, revisions={"1": source}, entry_points={})
    finished = shop.python(block("# late.py"))
    assert (finished.returncode, finished.stdout) == (0, "True ready\n"), finished.stderr
    assert shop.has_table("parcels.t")
