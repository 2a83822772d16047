"""What an instance of the demo tells its parent: one JSON object a line."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Literal

EventKind = Literal[
    "listening", "planned", "waiting", "step_started", "step_finished", "retrying", "ready", "failed"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened in an instance."""

    kind: EventKind
    """What happened."""
    at: float = field(default_factory=time.time)
    """When, in seconds since the epoch."""
    port: int | None = None
    """Where the health endpoints are: of ``listening``."""
    steps: int | None = None
    """How many steps were found pending: of ``planned``."""
    branch: str | None = None
    """The branch of the step."""
    revision: str | None = None
    """The revision of the step."""
    message: str | None = None
    """What is waited for, what the step is about, or why it failed."""
    waited: float | None = None
    """How long was waited for others, in seconds: of ``ready``."""

    def line(self) -> str:
        """The event as a line; parts that are None are left out."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None}) + "\n"

    @classmethod
    def read(cls, line: str | bytes) -> Event:
        """The event of a line."""
        return cls(**json.loads(line))
