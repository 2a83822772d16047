"""The pass: what is ready, take its lock, read again, apply, record, release."""

from corehost.migrate.background import BackgroundSteps
from corehost.migrate.beacon import Beacon
from corehost.migrate.context import PassContext, PassRequest
from corehost.migrate.observer import Observer, Several
from corehost.migrate.run import MigrationPass
from corehost.migrate.stop import Stop

__all__ = [
    "BackgroundSteps",
    "Beacon",
    "MigrationPass",
    "Observer",
    "PassContext",
    "PassRequest",
    "Several",
    "Stop",
]
