"""The console: one page that shows branches, locks, instances and history, and follows them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corehost.console.asgi import AsgiConsole
    from corehost.console.wsgi import WsgiConsole

__all__ = ["AsgiConsole", "WsgiConsole"]

_HOMES = {"AsgiConsole": "corehost.console.asgi", "WsgiConsole": "corehost.console.wsgi"}


def __getattr__(name: str) -> object:
    """Import the application that is asked for: the picture alone needs no database."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
