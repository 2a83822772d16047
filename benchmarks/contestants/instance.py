"""An instance of a host: says when it first waits, and when it was ready, in seconds since the epoch."""

import sys
import time

import corehost
from corehost.migrate import Observer


class Telling(Observer):
    """Says on standard error that it waits."""

    def waiting(self, message: str) -> None:
        """It waits, and has said so to nobody but us."""
        print("waiting", file=sys.stderr, flush=True)


host = corehost.Host.from_config()
host.migrate(observer=Telling())
print(time.time(), flush=True)
