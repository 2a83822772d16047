"""Writes the pictures of docs/console.md: a real start of eight instances, seen by a real browser."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from corehost.console.server import ConsoleServer
from corehost.embedded import LocalPostgres
from corehost.host import Host
from support.browsing import Visit, chromium
from support.forked import Instance
from support.packages import OWN_GROUP, create_table, revision_source, spec, write_plugin

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
_WIDE: Final = {"width": 1180, "height": 1130}
_PATIENCE: Final = 180_000  # milliseconds
_LOW: Final = {"width": 1100, "height": 760}
_PHONE: Final = {"width": 390, "height": 844}
_SLOW: Final = "op.execute('SELECT pg_sleep(90)')"
_WRONG: Final = "op.execute('ALTER TABLE pages ADD CONSTRAINT title_once UNIQUE (title)')"
_OWN: Final = {"plugin_groups": [OWN_GROUP], "migration_groups": ["tests.migrations"]}

# Plugin -> its requirements, and its revisions: id, what it does, what else it needs, what it runs.
PLUGINS: Final[dict[str, tuple[tuple[str, ...], list[tuple[str, str, str | None, str]]]]] = {
    "accounts": (
        (),
        [
            ("3f2a91c0d4e5", "Create users", None, create_table("users")),
            ("8b1d40e6a7c2", "Create memberships", None, create_table("memberships")),
            ("c57e2f9013ab", "Compare e-mails", None, "pass"),
            ("d94c0b7e6f18", "Add last seen", None, "pass"),
        ],
    ),
    "billing": (
        ("accounts",),
        [
            ("1c7e5ad0f923", "Create prices", None, create_table("prices")),
            ("52b9e6f0c418", "Create subscriptions", "accounts@8b1d40e6a7c2", create_table("subscriptions")),
            ("a06d3c88e15b", "Fill subscriptions", None, _SLOW),
            ("e4f1927b60d3", "Create invoices", None, create_table("invoices")),
            ("f7710c2be94d", "Index invoices", None, "pass"),
        ],
    ),
    "search": (
        ("accounts",),
        [
            ("7d2c1f84ab30", "Create documents", None, create_table("documents")),
            ("b8e60947c15d", "Fill documents", "accounts@d94c0b7e6f18", _SLOW),
            ("f13a5b7260ce", "Index titles", None, "pass"),
        ],
    ),
    "reports": (
        ("billing",),
        [
            ("09c4e17ab2d8", "Create reports", "billing@e4f1927b60d3", create_table("reports")),
            ("6ea2d9f01c37", "Add totals", None, "pass"),
        ],
    ),
    "wiki": (
        (),
        [
            ("2a8c70e1f9b4", "Create pages", None, create_table("pages")),
            ("4be07d3c92a1", "Make titles unique", None, _WRONG),
            ("95f3a1c60e7d", "Add drafts", None, "pass"),
        ],
    ),
}


def main() -> None:
    """Start eight instances on an empty database, and look at them in the middle of it."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalPostgres(temporary=True) as server,
        chromium() as browser,
    ):
        site = Path(folder)
        for name, (requires, revisions) in PLUGINS.items():
            _install(site, name, requires, revisions)
        sys.path.insert(0, folder)
        settings = {**_OWN, "on_migration_error": "disable"}
        host = Host.from_config(database_url=server.url(), **settings)
        with ConsoleServer(host, "127.0.0.1", 0) as console:
            threading.Thread(target=console.serve_forever, args=(0.1,), daemon=True).start()
            instances = [Instance(server.url(), path=site, settings=settings) for _ in range(8)]
            try:
                _take(browser, console.url)
            finally:
                for instance in instances:
                    instance.close()
            console.shutdown()


def _take(browser: Browser, url: str) -> None:
    """Wait until two branches are migrated at once, one has failed, and instances wait."""
    views = [
        ("console-light", {"viewport": _WIDE, "color_scheme": "light"}),
        ("console-dark", {"viewport": _LOW, "color_scheme": "dark"}),
        ("console-phone", {"viewport": _PHONE, "color_scheme": "light"}),
    ]
    for name, options in views:
        with Visit(browser, url, **options) as visit:
            visit.page.set_default_timeout(_PATIENCE)
            visit.page.wait_for_selector("#trouble article")
            visit.page.wait_for_selector("#branches tr:nth-child(2 of :has(.is-running))")
            visit.page.wait_for_selector("#instances tr:has([href='#s-waiting'])")
            if name == "console-dark":
                visit.page.locator("#tables").evaluate("e => e.parentElement.scrollIntoView()")
            visit.page.screenshot(path=IMAGES / f"{name}.png")


def _install(
    site: Path, name: str, requires: tuple[str, ...], revisions: list[tuple[str, str, str | None, str]]
) -> None:
    sources, down = {}, None
    for place, (revision, message, needs, upgrade) in enumerate(revisions):
        sources[f"{place:02}"] = revision_source(revision, down, needs, upgrade, message=message)
        down = revision
    write_plugin(
        site,
        name,
        version="2.4.0",
        spec_source=spec(name, requires=requires),
        revisions=sources,
        distribution=f"shop-{name}",
        group=OWN_GROUP,
    )


if __name__ == "__main__":
    main()
