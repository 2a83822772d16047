"""What servers with threads do with a request that needs a look at the database: wait for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from corehost.console.app import PATIENCE, Asked, Console, busy
from corehost.console.events import BEAT
from corehost.console.feed import TooManyViews
from corehost.http.answers import Answer


def read_page(console: Console, asked: Asked) -> Answer:
    """The page, once the database was read; without, where that takes too long."""
    feed, changed = console.feed, threading.Event()
    try:
        with feed.watching(asked.view, changed.set):
            if feed.page(asked.view) is None:
                changed.wait(PATIENCE)
            return console.page(asked, feed.page(asked.view))
    except TooManyViews:
        return busy()


def follow(console: Console, asked: Asked, *, lasting: bool) -> Iterator[bytes]:
    """The events of one browser: for a while, or only what there is now. Raises TooManyViews at once."""
    feed, changed = console.feed, threading.Event()
    stream = console.stream(asked, lasting=lasting)
    with feed.watching(asked.view, changed.set):
        if feed.page(asked.view) is None:
            changed.wait(PATIENCE)
        while True:
            changed.clear()
            if text := stream.news():
                yield text
            if not lasting or stream.over:
                break
            if not changed.wait(BEAT):
                yield stream.beat()
        yield stream.beat()
