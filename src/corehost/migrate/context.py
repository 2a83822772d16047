"""What one pass has to do with: given once, the same throughout."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from corehost.core.branch import Branch
from corehost.core.graph import Graph
from corehost.core.plan import Plan, Step
from corehost.core.policy import DEFAULT, Policy
from corehost.core.release import Release, release_of
from corehost.core.results import StepResult
from corehost.core.revision import Node, SourceFacts
from corehost.core.settings import Settings
from corehost.migrate.observer import Observer
from corehost.migrate.stop import Stop

StepContexts = Callable[[Branch], Sequence[AbstractContextManager[Any]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PassRequest:
    """What is asked of one pass."""

    only: str | None = None
    """One branch and what that depends on; None: all."""
    wait: bool = True
    """Whether to wait while somebody else holds a lock."""
    allow_destructive: bool = False
    """Whether steps that drop or narrow data may be run although ``on_destructive`` refuses them."""
    background: bool = False
    """Whether background steps are run too, behind all others."""
    contract: bool = False
    """Whether contract steps are run now, whatever ``contract_steps`` and ``contract_delay`` say."""
    serving: bool = False
    """Whether the host serves: what it goes on without was not started, and has no hooks until it is."""


@dataclass(kw_only=True)
class PassContext:
    """What one pass has to do with: given once, the same throughout."""

    graph: Graph
    settings: Settings
    facts: Callable[[Node], SourceFacts]
    """What a revision's source tells; compiles the file, raises RevisionFileError."""
    contexts: StepContexts
    """The context managers that plugins and host want around a branch's steps."""
    before: Callable[[Plan], None] = lambda _: None
    """Told once, where there is something to do, before the first lock is tried."""
    step_started: Callable[[Step], None]
    """Told before a step; its exception fails the step."""
    step_finished: Callable[[Step, StepResult], None]
    observer: Observer
    policy: Policy = DEFAULT
    """What a look is judged by."""
    stop: Stop = field(default_factory=Stop)
    only: str | None = None
    allow_destructive: bool = False
    """Whether steps that drop or narrow data may be run although ``on_destructive`` refuses them."""
    old_failures: frozenset[int] = frozenset()
    """The ledger's ids of failures that were there when the pass began: these are tried again."""
    pass_id: uuid.UUID = field(default_factory=uuid.uuid4)
    compiled: set[Node] = field(default_factory=set)
    """The revisions whose sources were read."""
    is_recorded: bool = False
    """Whether the ledger is known to have this code."""

    @cached_property
    def release(self) -> Release:
        """The code that runs the pass."""
        return release_of(self.graph)
