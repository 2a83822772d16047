"""A real browser for tests: one page, all that it asked for, and all that it complained of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.processes import PATIENCE

DESKTOP: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
_OPTIONS: Final = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => {
  console.error("CSP", event.violatedDirective, event.blockedURI);
});
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of the system, without a screen.

    Only for the tests of one module: while it is open, this thread has an event loop.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no Chromium: Debian's package is called chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        yield browser
        browser.close()


class Visit:
    """A page in a profile of its own."""

    def __init__(self, browser: Browser, url: str, **options: Any):
        self._context = browser.new_context(**{"viewport": DESKTOP, **options})
        self._context.set_default_timeout(PATIENCE * 1000)
        self._context.add_init_script(_VIOLATIONS)
        self.page: Page = self._context.new_page()
        """Playwright's page."""
        self.requests: list[tuple[str, str]] = []
        """What it asked for: the kind (``document``, ``eventsource``) and the address."""
        self.complaints: list[str] = []
        """Errors and warnings of its scripts, its network and its security policy."""
        self.page.on("request", lambda request: self.requests.append((request.resource_type, request.url)))
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self._complain("error", str(error)))
        self.page.goto(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._context.close()

    def _complain(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)
