"""Contract steps: run only while nobody is there who lacks them, and nobody can come."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg

from corehost.core.deferral import Held, is_guarded, judge_contract
from corehost.core.namespace import Namespace
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.context import PassContext
from corehost.postgres.connect import Connection
from corehost.postgres.locks import give_contract_back, try_contract
from corehost.postgres.presence import read_situation
from corehost.readiness.deferred import contract_steps

GRACE: Final = 2.0
"""Seconds within which whoever has lost his presence without knowing it has noticed: he knows of a cut
network two seconds before the server does, of anything else at once; and then he takes it again."""
_PAUSE: Final = 0.5
"""Seconds between two looks meanwhile."""


class Contracting:
    """The contract steps of one namespace, whose lock is held.

    First it says that a contract step is about to be run; whoever becomes ready from here on sees that
    after he has taken his presence, and waits. Only then are the presences listed, and listed again after
    the grace. ``first`` is called before the connection is used.
    """

    def __init__(
        self,
        context: PassContext,
        connection: Connection,
        namespace: Namespace,
        *,
        first: Callable[[], object],
    ):
        self._context = context
        self._first = first
        self._connection = connection
        self._namespace = namespace
        self._told = False
        self._waited = False

    def holds_back(self, node: Node, state: DatabaseState) -> Held | None:
        """Why a step must not be run now; ``state`` is that of before this namespace's first step."""
        if not contract_steps(self._context.graph, state, [node], self._context.policy):
            return None
        self._first()
        if not self._told:
            if not try_contract(self._connection, self._namespace):
                return Held(reason="waits for another contract step")
            self._told = True
        held, guarded = self._judge(node, state)
        if held is None and guarded and not self._waited:
            held = self._watch(node, state)
            self._waited = held is None  # as long as it is told nobody comes who lacks a step
        return held

    def _watch(self, node: Node, state: DatabaseState) -> Held | None:
        """Look again and again until the grace is over: who lets a lock idle is taken for dead."""
        idle = self._context.settings.holder_idle_timeout.total_seconds()
        pause = min(_PAUSE, idle / 4) if idle else _PAUSE
        over = time.monotonic() + GRACE
        held = None
        while held is None and time.monotonic() < over:
            self._context.stop.sleep(pause)
            self._context.stop.check()
            held, _ = self._judge(node, state)
        return held

    def end(self) -> None:
        """Let others become ready again."""
        if self._told:
            with suppress(psycopg.Error):  # the session has ended, and its locks with it
                give_contract_back(self._connection, self._namespace)

    def _judge(self, node: Node, state: DatabaseState) -> tuple[Held | None, bool]:
        found = read_situation(self._connection, self._context.graph, state, [node])
        tree = self._context.graph.trees[node.branch]
        return judge_contract(tree, node, found, self._context.policy), is_guarded(tree, node, found)
