"""The console in a real browser while eight instances start on an empty database: it follows by itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.browsing import Visit, chromium
from support.forked import Instance

from .conftest import World, shop

# Kept in the page: nothing is missed between two looks of the test, and a reload would lose it.
RECORD = r"""
window.record = {};
for (const id of ["banner", "told", "branches", "instances"]) {
  const place = document.getElementById(id);
  const read = () => {
    const rows = [...place.querySelectorAll("tbody tr")];
    return rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" | ")).join("\n")
      || place.textContent;
  };
  const seen = window.record[id] = [read()];
  new MutationObserver(() => { if (seen.at(-1) !== read()) seen.push(read()); })
    .observe(place, { childList: true, characterData: true, subtree: true });
}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What a browser saw of a start."""

    url: str
    """Where it looked."""
    pids: tuple[int, ...]
    """The instances' process ids."""
    record: dict[str, list[str]]
    """Part of the page -> its texts, one after the other."""
    requests: list[tuple[str, str]]
    """What it asked for."""
    complaints: list[str]
    """What it complained of."""
    content: str
    """The page at the end, as HTML."""
    database: str
    """The database's URL, which has a password."""


@pytest.fixture(scope="module")
def start(world: World) -> Iterator[Start]:
    """Eight instances that start at once under the eyes of a browser, until all is applied."""
    shop(world.site, seconds=5)
    with chromium() as browser, world.console() as url, Visit(browser, url) as visit:
        visit.page.wait_for_selector("#live:not([hidden]):not(.lost)")
        visit.page.evaluate(RECORD)
        instances = [Instance(world.database, path=world.site) for _ in range(8)]
        try:
            visit.page.wait_for_selector("#banner .is-current")
            for instance in instances:
                assert instance.wait() == 0, instance.outcome()
        finally:
            for instance in instances:
                instance.close()
        visit.page.wait_for_selector("#instances:not(:has(table))")
        record: Any = visit.page.evaluate("window.record")
        yield Start(
            url=url,
            pids=tuple(instance.pid for instance in instances),
            record=record,
            requests=visit.requests,
            complaints=visit.complaints,
            content=visit.page.content(),
            database=world.database,
        )


def test_it_goes_from_pending_by_migrating_to_ready(start: Start) -> None:
    """Without being loaded again the page says Pending, then Migrating, then Ready."""
    expected = ["Pending", "Migrating", "Ready"]
    words = [next(word for word in expected if text.startswith(word)) for text in start.record["banner"]]
    assert list(dict.fromkeys(words)) == expected
    assert [kind for kind, _ in start.requests].count("document") == 1


def test_it_names_who_holds_the_lock(start: Start) -> None:
    """While a branch is migrated, its row names the process of the fleet that holds the lock."""
    rows = [
        line for text in start.record["branches"] for line in text.splitlines() if line.startswith("accounts")
    ]
    holders = {f"{socket.gethostname()}:{pid}" for pid in start.pids}
    assert any("migrating" in row and holder in row for row in rows for holder in holders)


def test_it_lists_the_instances_that_wait(start: Start) -> None:
    """Instances that wait for the slow branch are listed, each with its process id, and gone at the end."""
    lines = {line for text in start.record["instances"] for line in text.splitlines() if "waiting" in line}
    assert sum(any(f":{pid}" in line for line in lines) for pid in start.pids) >= 4
    assert "waiting" not in start.record["instances"][-1]


def test_changes_are_told_to_who_hears_the_page(start: Start) -> None:
    """The live region says which branch changed to what, and when all is ready."""
    told = " ".join(start.record["told"])
    assert "accounts: migrating" in told
    assert "accounts: current" in told
    assert "Ready" in told


def test_no_request_leaves_the_origin(start: Start) -> None:
    """Everything that the page asks for comes from the server that served it."""
    assert {urlsplit(address).netloc for _, address in start.requests} == {urlsplit(start.url).netloc}
    assert "eventsource" in {kind for kind, _ in start.requests}


def test_the_browser_complains_of_nothing(start: Start) -> None:
    """No script fails, nothing is missing, and nothing offends the page's own security policy."""
    assert start.complaints == []


def test_it_shows_no_secret(start: Start) -> None:
    """Neither the database's URL nor its password is anywhere in the page, or was at any time."""
    password = urlsplit(start.database).password
    assert password
    everything = start.content + "".join(text for texts in start.record.values() for text in texts)
    assert password not in everything
    assert "postgresql://" not in everything
