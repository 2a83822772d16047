"""What a pass has found out so far: what it applied, what failed, what must be left alone."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from corehost.core.deferral import Held
from corehost.core.errors import MigrationError, StepFailed
from corehost.core.graph import Graph
from corehost.core.leave_out import leave_out
from corehost.core.plan import Step
from corehost.core.results import MigrationReport, StepResult
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.migrate.attempt import ConnectionLost
from corehost.postgres.connect import Connection

_log = logging.getLogger("corehost")

_LOSSES: Final = 3
"""So many lost connections, and a step has failed."""


@dataclass(kw_only=True)
class Findings:
    """What a pass has found out so far."""

    applied: list[StepResult] = field(default_factory=list)
    failed: StepResult | None = None
    blocked: dict[str, MigrationError] = field(default_factory=dict)
    """Branch -> why nothing of it may be run (again) in this pass."""
    untold: dict[Node, MigrationError] = field(default_factory=dict)
    """What does not compile, and the ledger does not know of yet."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Branch -> why this host goes on without it."""
    deferred: Mapping[Node, Held] = field(default_factory=dict)
    """Step -> why it is held back, as the last look has it."""
    doubtful: list[tuple[Step, ConnectionLost]] = field(default_factory=list)
    """Steps that lost their connection, and may be committed."""
    lost: Counter[Node] = field(default_factory=Counter)
    """How often a step has lost its connection."""

    def settle_doubtful(self, connection: Connection, *, has_ledger: bool) -> None:
        """Count the steps whose COMMIT went through although its answer was lost."""
        for step, lost in self.doubtful:
            if has_ledger and lost.record.was_applied(connection):
                duration = (time.monotonic() - lost.began) * 1000
                self.count(
                    step,
                    StepResult(
                        node=step.node, outcome="applied", started_at=lost.started_at, duration_ms=duration
                    ),
                )
        self.doubtful.clear()

    def count(self, step: Step, result: StepResult) -> None:
        """A step is committed, and with it those that it has made needless."""
        self.applied.append(result)
        self.applied += [replace(result, node=other.node, duration_ms=0.0) for other in step.also]

    def count_losses(self, graph: Graph) -> None:
        """A step that takes its connection with it every time, and gets nowhere, has failed."""
        for step, lost in self.doubtful:
            self.lost[step.node] = 1 if lost.batches else self.lost[step.node] + 1
            if self.lost[step.node] >= _LOSSES:
                tree = graph.trees[step.node.branch]
                self.blocked[step.node.branch] = StepFailed(
                    f"the connection was lost {_LOSSES} times while revision {step.node.revision} ran",
                    where=tree.where(step.node.revision),
                    hint="the server's log says why",
                )

    @property
    def fatal(self) -> Mapping[str, MigrationError]:
        """Branch -> why nothing of it may be run, of those that the host does not go on without."""
        return {name: error for name, error in self.blocked.items() if name not in self.left_out}

    def leave_out(
        self,
        graph: Graph,
        state: DatabaseState,
        pending: Collection[Node],
        optional: Callable[[str], bool],
        *,
        only: str | None,
    ) -> None:
        """Conclude what the host goes on without: what is wrong, or rests after failures, and optional."""
        reasons = {
            name: f"{state.open_steps[graph.trees[name].branch.namespace].what} has failed"
            for name in {node.branch for node in pending}
            if state.rest_of(graph.trees[name].branch)
        }
        reasons |= {name: error.message for name, error in self.blocked.items()}
        before = self.left_out.keys()
        self.left_out = {
            name: reasons[cause] if name == cause else f"it needs {cause!r}, which is left out"
            for name, cause in leave_out(graph, reasons, pending, optional, only=only).items()
        }
        for name in sorted(self.left_out.keys() - before):
            about = {"event": "branch.left_out", "branch": name}
            _log.warning("going on without plugin %r: %s", name, self.left_out[name], extra=about)

    def of_use(self, nodes: Iterable[Node]) -> frozenset[Node]:
        """The nodes without what is held back, and those of branches that the host goes on without."""
        return frozenset(
            node for node in nodes if node.branch not in self.left_out and node not in self.deferred
        )

    def conclusion(self) -> MigrationError:
        """Why the pass ends here although something is pending: the gravest reason first."""
        grave = {2: 0, 5: 1, 1: 2, 4: 3}
        return min(self.fatal.values(), key=lambda e: (grave.get(e.exit_code, 4), str(e)))

    def report(self, *, ready: bool, waited: float) -> MigrationReport:
        """What this process did; ``waited`` in seconds."""
        return MigrationReport(
            applied=tuple(self.applied),
            failed=self.failed,
            waited_ms=waited * 1000,
            ready=ready,
            deferred=MappingProxyType(dict(self.deferred)),
            left_out=MappingProxyType(dict(self.left_out)),
        )
