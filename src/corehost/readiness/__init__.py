"""Lock-free: what a look at the database tells, and how often to look."""

from corehost.readiness.look import look
from corehost.readiness.pace import Pace
from corehost.readiness.report import Look, is_current, look_around, wait_until_ready

__all__ = ["Look", "Pace", "is_current", "look", "look_around", "wait_until_ready"]
