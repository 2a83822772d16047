"""Finds what is installed: entry points, hooks and settings become branches."""

from corehost.discovery.discover import discover, inspect
from corehost.discovery.found import Discovery, FoundPlugin
from corehost.discovery.late import LatePlugin, examined, settled
from corehost.discovery.locate import locate, revision_folders

__all__ = [
    "Discovery",
    "FoundPlugin",
    "LatePlugin",
    "discover",
    "examined",
    "inspect",
    "locate",
    "revision_folders",
    "settled",
]
