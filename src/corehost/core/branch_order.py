"""The order of branches: the ledger, the core, then by what they require and come after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from corehost.core.branch import Branch
from corehost.core.errors import CycleError
from corehost.core.namespace import CORE, LEDGER
from corehost.core.toposort import find_cycle, topological_order


def branch_ranks(branches: Iterable[Branch]) -> Mapping[str, int]:
    """Branch -> its place: ledger, core, then every branch behind those it names, ties by name.

    Raises CycleError, drawing the cycle, where branches require or come after each other.
    """
    found = {branch.name: branch for branch in branches}

    def needs(name: str) -> list[str]:
        branch = found[name]
        named = {requirement.name for requirement in branch.requires} | set(branch.after)
        return sorted(named & found.keys())

    def key(name: str) -> tuple[bool, bool, str]:
        return (name != LEDGER, name != CORE, name)

    if cycle := find_cycle(sorted(found), needs):
        lines = [f"    {name}" for name in [*cycle, cycle[0]]]
        raise CycleError(
            "\n".join(["these plugins wait for each other, each for the one below it:", *lines]),
            where=found[cycle[0]].origin.where(branch=cycle[0]),
            hint="take one 'requires' or 'after' away",
        )
    return {name: rank for rank, name in enumerate(topological_order(found, needs, key=key))}
