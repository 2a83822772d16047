"""One stream of server-sent events: what of it was sent, and what is to be sent now."""

from __future__ import annotations

import json
import time
from typing import Final

from corehost.console.feed import Feed
from corehost.console.page import Page
from corehost.console.sight import View
from corehost.core.jitter import between

BEAT: Final = 5.0
"""Seconds after which a stream without news says that it lives."""
_LIFE: Final = 20.0
"""Seconds after which a stream ends, and the browser opens the next: servers that shut down wait for open
responses, and some end a worker that is busy with one for thirty seconds."""
_NEXT: Final = 250
_POLL: Final = 2000
"""Milliseconds until a browser comes again: after a stream, and after an answer in place of one."""


class Stream:
    """What one browser is sent."""

    def __init__(self, feed: Feed, view: View, seen: str | None, *, lasting: bool = True):
        self._feed = feed
        self._view = view
        self._seen = seen
        self._last: Page | None = None
        self._retry: int | None = _NEXT if lasting else _POLL
        self._end = time.monotonic() + _LIFE * between(0.8, 1.0)

    @property
    def over(self) -> bool:
        """Whether it has lasted long enough."""
        return time.monotonic() >= self._end

    def news(self) -> bytes:
        """What has changed since what was sent last; empty where nothing has."""
        page = self._feed.page(self._view)
        if page is None or page.digest == self._seen:
            self._last = page or self._last
            return self._opening()
        text = page.change_since(self._last)
        self._seen, self._last = page.digest, page
        return self._opening() + f"id: {page.digest}\nevent: change\ndata: {text}\n\n".encode()

    def beat(self) -> bytes:
        """A sign of life, which says when the database was read."""
        page = self._feed.page(self._view)
        data = json.dumps({"at": page.at if page else None})
        return self._opening() + f"event: beat\ndata: {data}\n\n".encode()

    def _opening(self) -> bytes:
        retry, self._retry = self._retry, None
        return b"" if retry is None else f"retry: {retry}\n\n".encode()
