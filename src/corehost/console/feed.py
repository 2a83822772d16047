"""One thread that reads the database for everybody who watches, and only while somebody does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from corehost.console.page import Draughtsman, Page
from corehost.console.sight import ConsoleHost, Reader, Sight, View

log = logging.getLogger("corehost")

_PAUSE: Final = 1.0
"""Seconds between two looks."""
_SHARE: Final = 4
"""A look that takes long is followed by a pause so many times as long."""
_LINGER: Final = 3.0
"""Seconds for which reading goes on after the last watcher has left: its next request is on its way."""
_MOST_VIEWS: Final = 16
"""How many different views are kept up at once."""


class TooManyViews(Exception):
    """So many different views are watched that one more is refused."""


class Feed:
    """The pages that are watched, kept up to date; they are gone when nobody watches any more."""

    def __init__(self, host: ConsoleHost):
        self._host = host
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._watchers: dict[object, tuple[View, Callable[[], None]]] = {}
        self._pages: dict[View, Page] = {}
        self._thread: threading.Thread | None = None
        self._recent: dict[View, float] = {}
        self.database: str | None = None
        """The name of the database, once it is known."""

    @contextmanager
    def watching(self, view: View, changed: Callable[[], None]) -> Iterator[None]:
        """Keep a view up to date; ``changed`` is called on the feed's thread whenever it has changed.

        Raises TooManyViews.
        """
        watcher = object()
        with self._lock:
            views = {seen for seen, _ in self._watchers.values()}
            if view not in views and len(views) >= _MOST_VIEWS:
                raise TooManyViews
            self._watchers[watcher] = (view, changed)
            if view not in self._pages:
                self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="corehost-console", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._watchers[watcher]
                self._recent.pop(view, None)
                self._recent[view] = time.monotonic()

    def page(self, view: View) -> Page | None:
        """A view that is watched, as it was seen last; None where it has not been seen yet."""
        return self._pages.get(view)

    def _run(self) -> None:
        reader, draughtsman = Reader(self._host), Draughtsman()
        try:
            while (views := self._views()) is not None:
                began = time.monotonic()
                try:
                    self._publish(dict(self._draw(reader, draughtsman, views)))
                except Exception:  # a console that has died would look like a database that is at rest
                    log.exception("the console could not read", extra={"event": "console.failed"})
                    sight = Sight(problem="something unforeseen happened; the log has it")
                    self._publish({view: draughtsman.page(sight, view) for view in views})
                self._wake.wait(max(_PAUSE, (time.monotonic() - began) * _SHARE))
                self._wake.clear()
        finally:
            reader.close()

    def _views(self) -> list[View] | None:
        """What is watched, or was just now; None, and the thread is no more the feed's, where nothing is."""
        with self._lock:
            oldest = time.monotonic() - _LINGER
            self._recent = {view: left for view, left in self._recent.items() if left > oldest}
            views = [*(view for view, _ in self._watchers.values()), *reversed(self._recent)]
            if views:
                return list(dict.fromkeys(views))[:_MOST_VIEWS]
            self._thread = None
            self._pages = {}
            return None

    def _draw(
        self, reader: Reader, draughtsman: Draughtsman, views: list[View]
    ) -> Iterator[tuple[View, Page]]:
        sight = reader.read(views)
        self.database = sight.database
        for view in views:
            yield view, draughtsman.page(sight, view)

    def _publish(self, pages: dict[View, Page]) -> None:
        with self._lock:
            changed = {view for view, page in pages.items() if _differs(page, self._pages.get(view))}
            told = [tell for view, tell in self._watchers.values() if view in changed]
            self._pages = pages
        for tell in told:
            tell()


def _differs(page: Page, earlier: Page | None) -> bool:
    return earlier is None or page.digest != earlier.digest
