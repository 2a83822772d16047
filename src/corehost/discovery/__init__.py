"""Finds what is installed: entry points, hooks and settings become branches."""

from corehost.discovery.discover import discover, inspect
from corehost.discovery.found import Discovery, FoundPlugin
from corehost.discovery.locate import locate, revision_folders

__all__ = ["Discovery", "FoundPlugin", "discover", "inspect", "locate", "revision_folders"]
