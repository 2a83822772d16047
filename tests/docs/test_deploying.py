"""The page on deploying: its example is rolled out and back, its settings and tests are there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from corehost.core.settings import Settings, check_setting
from support.instances import end, serving
from support.processes import wait_until
from support.releases import Deploy, deploy

__all__ = ["deploy"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploying.md").read_text()
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", PAGE, re.S | re.M)]
FILES = {Path(block.splitlines()[0].removeprefix("# ")).stem: block for block in BLOCKS}
SETTINGS = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, re.M)
ROWS = [line for line in PAGE.splitlines() if "| `tests/" in line]


def test_the_example_is_rolled_out_as_the_page_says(deploy: Deploy) -> None:
    """The old instance serves on, what takes something away waits for it, and comes when it has left."""
    first = deploy("1.0", {"o1": FILES["o1"]})
    second = deploy("2.0", FILES)
    old = serving(first)
    assert "o3" in second.run("plan").stdout
    migrated = second.run("migrate")
    assert "orders@o2" in migrated.stdout
    assert "orders@o3 waits for orders 1.0 at " in migrated.stdout
    assert second.run("check").returncode == 0
    assert first.run("check").returncode == 0
    assert second.run("migrate", "--contract").returncode == 3
    new = serving(second)
    end(old, first)
    wait_until(lambda: second.execute("SELECT version_num FROM orders.alembic_version") == [("o3",)])
    assert new.stdout.startswith("ready 200")
    refused = first.run("check")
    assert refused.returncode == 5
    assert "deploy orders 2.0 or newer" in refused.stderr


def test_the_example_is_rolled_back_as_the_page_says(deploy: Deploy) -> None:
    """After expand steps the old version is ready again, and nothing is undone; then the new one goes on."""
    first, second = deploy("1.0", {"o1": FILES["o1"]}), deploy("2.0", FILES)
    assert first.run("migrate").returncode == 0
    assert second.run("migrate").returncode == 0
    back = serving(first)
    assert second.execute("SELECT version_num FROM orders.alembic_version") == [("o2",)]
    end(back, first)
    serving(second)


@pytest.mark.parametrize(("name", "default"), SETTINGS)
def test_a_setting_has_the_default_that_the_page_tells(name: str, default: str) -> None:
    """As the code has it."""
    assert getattr(Settings(), name) == check_setting(name, default)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_promise_is_shown_by_tests(row: str) -> None:
    """Each row's last column names files with tests in them."""
    for file in re.findall(r"`(tests/\w+/\w+\.py)`", row):
        assert "def test_" in (ROOT / file).read_text(), file
