"""The runner of each branch, made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corehost.core.graph import Graph

if TYPE_CHECKING:
    from corehost.alembic.runner import BranchRunner


class Runners:
    """The runners of a graph's branches; the first one loads Alembic."""

    def __init__(self, graph: Graph):
        self._graph = graph
        self._made: dict[str, BranchRunner] = {}

    def of(self, branch: str) -> BranchRunner:
        """The runner of a branch, by its name; always the same one."""
        if branch not in self._made:
            from corehost.alembic.runner import BranchRunner

            self._made[branch] = BranchRunner(self._graph.trees[branch])
        return self._made[branch]
