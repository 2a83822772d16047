"""What corehost needs to know; imports nothing heavier than corehost."""

from __future__ import annotations

import corehost


@corehost.hookimpl
def corehost_register_plugin() -> corehost.PluginSpec:
    """Tables of our own, and nothing that must come first."""
    return corehost.PluginSpec(
        name="accounts",
        migrations="corehost_example_accounts:migrations",
        metadata="corehost_example_accounts.models:metadata",
    )
