"""Start-up and shutdown of plugins, in dependency order and in reverse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from corehost.core.errors import PluginStartFailed
from corehost.installation import Installation

if TYPE_CHECKING:
    from corehost.host import Host

_log = logging.getLogger("corehost")


class Lifecycle:
    """What of the plugins has been started."""

    def __init__(self, installation: Installation):
        discovery = installation.discovery
        self._manager = discovery.manager
        self._order = (*discovery.host_modules, *installation.order)
        self._origins = {found.name: found.origin for found in discovery.found}
        self._started: list[str] = []

    def start(self, host: Host) -> None:
        """Call every ``corehost_startup``, the host's own hooks first, then by dependency.

        Raises PluginStartFailed naming the plugin whose hook failed; those started before are shut down.
        """
        for name in self._order:
            try:
                self._caller("corehost_startup", name)(host=host)
            except Exception as error:
                self.stop(host)
                origin = self._origins.get(name)
                raise PluginStartFailed(
                    f"plugin {name!r} failed to start: {type(error).__name__}: {error}",
                    where=origin.where(branch=name) if origin else None,
                ) from error
            self._started.append(name)

    def stop(self, host: Host) -> None:
        """Call ``corehost_shutdown`` of what was started, in reverse; failures are logged."""
        while self._started:
            name = self._started.pop()
            try:
                self._caller("corehost_shutdown", name)(host=host)
            except Exception:
                _log.exception("plugin %r failed to shut down", name)

    def _caller(self, hook: str, name: str) -> Any:
        """The hook as this plugin alone implements it: pluggy's own order is none to rely on."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
        return self._manager.subset_hook_caller(hook, remove_plugins=[p for p in others if p is not None])
