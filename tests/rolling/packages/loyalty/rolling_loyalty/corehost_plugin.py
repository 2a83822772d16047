"""The plugin."""

import corehost


@corehost.hookimpl
def corehost_register_plugin() -> corehost.PluginSpec:
    """Say what it is."""
    return corehost.PluginSpec(name="loyalty", migrations="rolling_loyalty:migrations")
