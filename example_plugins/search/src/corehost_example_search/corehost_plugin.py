"""What corehost needs to know; imports nothing heavier than corehost."""

from __future__ import annotations

import corehost


@corehost.hookimpl
def corehost_register_plugin() -> corehost.PluginSpec:
    """After accounts where it is installed, and after the extension of the trigram index."""
    return corehost.PluginSpec(
        name="search",
        migrations="corehost_example_search:migrations",
        after=("accounts",),
        extensions=("pg_trgm",),
    )
