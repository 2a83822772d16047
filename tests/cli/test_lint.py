"""``corehost lint`` as a plugin's CI calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from support.packages import create_table, revision_source
from support.shop import Shop

BAD = 'op.create_index("i", "orders", ["id"])\nop.drop_table("orders")'


def test_a_clean_plugin_ends_with_0(shop: Shop) -> None:
    """No database is needed, and none is set."""
    clean = 'op.create_table("orders", sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True))'
    shop.install("orders", {"o1": revision_source("o1", upgrade=clean)})
    finished = shop.run("lint", "orders", database=None)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "nothing is wrong in 1 revision\n"


def test_findings_end_with_2_and_name_plugin_file_and_line(shop: Shop) -> None:
    """squawk's and corehost's own, as text and as a document."""
    shop.install(
        "orders",
        {
            "o1": revision_source("o1", upgrade=create_table("orders")),
            "o2": revision_source("o2", "o1", upgrade=BAD),
        },
    )
    finished = shop.run("lint", "--since", "o1", "--json", database=None)
    assert finished.returncode == 2, finished.stderr
    document = finished.json()
    assert [(f["branch"], f["rule"], f["line"]) for f in document["findings"]] == [
        ("orders", "require-concurrent-index-creation", 13),
        ("orders", "contract-unmarked", 14),
    ]
    assert all(f["file"].endswith("o2.py") and f["version"] == "1.0" for f in document["findings"])
    assert (document["checked"], document["squawk"]) == (1, True)
    text = shop.run("lint", "--since", "o1", database=None).stdout
    assert "o2.py:14: error [contract-unmarked] drops table orders" in text


def test_warnings_count_only_where_that_is_asked_for(shop: Shop) -> None:
    """Taste ends with 0, with --strict with 2."""
    shop.install("orders")
    assert shop.run("lint", database=None).returncode == 0
    finished = shop.run("lint", "--strict", database=None)
    assert finished.returncode == 2
    assert "warning [prefer-bigint-over-int]" in finished.stdout


def test_without_squawk_the_own_rules_run(shop: Shop, tmp_path: Path) -> None:
    """It says what is missing; nothing else changes."""
    shop.install(
        "orders",
        {
            "o1": revision_source("o1", upgrade=create_table("orders")),
            "o2": revision_source("o2", "o1", upgrade='op.drop_table("orders")'),
        },
    )
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    # an interpreter whose own folder and PATH have no squawk, with the packages of this one
    path = [shop.site, *(Path(entry) for entry in sys.path if entry)]
    finished = shop.run(
        "-m",
        "corehost",
        "lint",
        program=[python],
        database=None,
        path=path,
        extra={"PATH": str(python.parent)},
    )
    assert finished.returncode == 2, finished.stderr
    assert "squawk is not installed" in finished.stdout
    assert "drops table orders" in finished.stdout


def test_what_is_not_there_is_said(shop: Shop) -> None:
    """An unknown plugin, or release: exit 2 with an error, not a finding."""
    shop.install("orders")
    for arguments in (("order",), ("--since", "nothing")):
        finished = shop.run("lint", *arguments, "--json", database=None)
        assert finished.returncode == 2
        assert finished.json()["error"]["code"] == "configuration"
