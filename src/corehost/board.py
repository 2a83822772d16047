"""The state of this instance, as probes read it, kept up to date by what the pass tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from corehost.core.instances import Instance
from corehost.core.life import TRANSITIONS, Event, after, may_serve
from corehost.core.plan import Step
from corehost.core.results import Readiness
from corehost.core.rows import rows
from corehost.migrate.observer import Tally
from corehost.postgres.ledger import without_secrets


class Board(Tally):
    """The instance's state, as probes read it: one value, replaced whole, so that no reader locks."""

    def __init__(self, *, needs_database: bool = False) -> None:
        super().__init__()
        self._needs_database = needs_database
        self._writing = threading.Lock()  # a pass, a watcher of the database and a stop write
        self._now = Readiness(ready=False, state="starting", since=datetime.now(UTC))
        self._unseen = False
        self._step_began = time.monotonic()

    @property
    def readiness(self) -> Readiness:
        """The state, with what of it changes from moment to moment; from memory."""
        now = self._now
        if now.state != "migrating":
            return now
        return replace(now, seconds=time.monotonic() - self._step_began, rows=rows())

    def take(self, event: Event, **details: Any) -> None:
        """Go where an event leads, or tell more of the same state; ``details`` are fields of Readiness."""
        with self._writing:
            self._enter(event, **details)

    def _enter(self, event: Event, **details: Any) -> None:
        state = after(self._now.state, event)
        since = self._now.since if self._now.state == state else datetime.now(UTC)
        if state != "degraded":
            self._unseen = False
        ready = may_serve(state, needs_database=self._needs_database, unseen=self._unseen)
        self._now = Readiness(ready=ready, state=state, since=since, **details)

    def begin(self) -> None:
        """A pass begins."""
        self.steps = self._left = 0
        self.take("begin")

    def finish(self, left_out: Mapping[str, str]) -> None:
        """This instance may serve, without some plugins."""
        plugins = {
            name: Readiness(ready=False, state="failed", message=without_secrets(reason))
            for name, reason in left_out.items()
        }
        self.take("finish", plugins=MappingProxyType(plugins))

    def lost_database(self, message: str) -> None:
        """The database of an instance that serves does not answer."""
        self._if_serving("lose", message=message)

    def lost_presence(self, message: str, *, unseen: bool) -> None:
        """Others cannot see an instance that serves; ``unseen`` while its database answers nevertheless."""
        self._if_serving("lose", unseen=unseen, message=message)

    def found_database(self) -> None:
        """It answers again."""
        self._if_serving("regain")

    def refuse(self, error: BaseException) -> None:
        """An instance that serves must not go on: its code does not fit the database any more."""
        with self._writing:  # it may have stopped meanwhile
            if self._now.state in ("ready", "degraded"):
                self._enter("fail", **_what_failed(error))

    def _if_serving(self, event: Event, *, unseen: bool | None = None, **details: Any) -> None:
        """Whoever watches the database may not know yet that the host has stopped."""
        with self._writing:
            if event in TRANSITIONS[self._now.state]:
                self._unseen = self._unseen if unseen is None else unseen
                self._enter(event, plugins=self._now.plugins, **details)

    def fail(self, error: BaseException) -> None:
        """The start has failed; probes say why, without secrets."""
        self.take("fail", **_what_failed(error))

    def waiting(self, message: str) -> None:
        """Others hold what is needed; how far the holder is stays until something newer is known."""
        steps = {"step": self.done, "steps": self.steps} if self.steps else {}
        self.take("wait", message=message, holder=self._now.holder, **steps)

    def held_by(self, holder: Instance | None) -> None:
        """How far the one is that is waited for."""
        with self._writing:
            if self._now.state == "waiting":
                self._now = replace(self._now, holder=holder)

    def step_started(self, step: Step) -> None:
        """This instance begins a step."""
        self._step_began = time.monotonic()
        self.take(
            "step",
            branch=step.node.branch,
            revision=step.node.revision,
            step=self.done + 1,
            steps=self.steps,
        )


def _what_failed(error: BaseException) -> dict[str, Any]:
    where = getattr(error, "where", None)
    return {
        "branch": getattr(where, "branch", None),
        "revision": getattr(where, "revision", None),
        "message": without_secrets(getattr(error, "message", type(error).__name__)),
    }
