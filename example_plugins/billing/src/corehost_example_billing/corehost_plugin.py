"""What corehost needs to know; imports nothing heavier than corehost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import corehost
from corehost_example_billing import worker

if TYPE_CHECKING:
    from corehost import Host


@corehost.hookimpl
def corehost_register_plugin() -> corehost.PluginSpec:
    """Tables with foreign keys to those of accounts, which must come first."""
    return corehost.PluginSpec(
        name="billing",
        migrations="corehost_example_billing:migrations",
        requires=("accounts>=1.0",),
    )


@corehost.hookimpl
def corehost_register_health_checks() -> list[corehost.HealthCheck]:
    """A thread that finds no time for us in so long is stuck: then this instance is not ready."""
    patience = timedelta(seconds=30)
    return [corehost.HealthCheck(name="renderer", check=worker.check, timeout=patience, critical=True)]


@corehost.hookimpl
def corehost_startup(host: Host) -> None:
    """Open the thread that renders invoices."""
    worker.start(host)


@corehost.hookimpl
def corehost_shutdown(host: Host) -> None:
    """Let the thread finish what it was given, and end it."""
    worker.stop(host)
