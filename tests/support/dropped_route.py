"""A network of its own for an instance, with a route to the server that can be made to lead nowhere."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from typing import Self

_NOBODY = "02:00:00:00:00:99"


class DroppedRoute:
    """A network namespace joined to this one by a pair of virtual devices; made by root, with iproute2.

    To drop the route is to send the packets of both sides to a hardware address that nobody has: no
    end, no reset and no error comes back, as behind a cable that was pulled out.
    """

    def __init__(self) -> None:
        unique = uuid.uuid4()
        self._name = f"ch{unique.hex[:8]}"
        first = unique.bytes[9] & 252  # of the four addresses of a /30: tests run side by side
        self.server = f"10.213.{unique.bytes[10]}.{first + 1}"
        """The address of this end: the server's."""
        self._client = f"10.213.{unique.bytes[10]}.{first + 2}"
        self._here, self._there = f"{self._name}a", f"{self._name}b"
        self.prefix = ("ip", "netns", "exec", self._name)
        """What a command begins with that is to run in that network."""

    def __enter__(self) -> Self:
        try:
            _ip("netns", "add", self._name)
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
            for device, address, prefix in (
                (self._here, self.server, ()),
                (self._there, self._client, ("-n", self._name)),
            ):
                _ip(*prefix, "addr", "add", f"{address}/30", "dev", device)
                _ip(*prefix, "link", "set", device, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self._name)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "delete", self._here)  # the name may outlive its namespace while sockets are open

    def drop(self) -> None:
        """From now on nothing arrives on either side."""
        self._neighbour(_NOBODY)

    def _neighbour(self, address: str) -> None:
        _ip("neigh", "replace", self._client, "lladdr", address, "nud", "permanent", "dev", self._here)
        there = ("-n", self._name)
        _ip(
            *there, "neigh", "replace", self.server, "lladdr", address, "nud", "permanent", "dev", self._there
        )


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
