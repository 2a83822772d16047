"""What is installed here: the discovered branches, their revisions, the one graph of them all."""

from __future__ import annotations

import copy
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from corehost.alembic.files import read_tree
from corehost.alembic.source import compile_file, source_facts
from corehost.core.branch import Branch, Origin
from corehost.core.errors import DiscoveryError, GraphError, PluginError
from corehost.core.graph import Graph
from corehost.core.namespace import CORE, LEDGER, LEDGER_NAMESPACE
from corehost.core.policy import Policy
from corehost.core.requirement import Requirement
from corehost.core.results import Skipped
from corehost.core.revision import Node, SourceFacts
from corehost.core.settings import Settings
from corehost.core.tree import BranchTree
from corehost.core.version import VERSION
from corehost.discovery import Discovery, discover

_log = logging.getLogger("corehost")


def ledger_branch() -> Branch:
    """corehost's own branch."""
    folder = Path(__file__).parent / "ledger"
    return Branch(
        name=LEDGER,
        namespace=LEDGER_NAMESPACE,
        locations=(folder / "versions",),
        script_location=folder,
        origin=Origin(distribution="corehost", version=VERSION),
    )


class Installation:
    """The installed plugins and branches of one host; the same set gives the same graph everywhere.

    Raises DiscoveryError, GraphError or ConfigurationError when it is made. With ``on_plugin_error =
    "skip"`` a plugin whose revisions are wrong is left out, as one that cannot be found is, together
    with what requires it.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.read_at = time.time()
        """When reading it began, in seconds since the epoch."""
        before = frozenset(sys.modules)
        self.discovery: Discovery = discover(settings)
        """What was found, and pluggy's manager."""
        self._left_out: dict[str, Skipped] = {}
        self.graph: Graph = self._graph()
        """The graph of all branches, the ledger's included."""
        self.skipped: tuple[Skipped, ...] = (*self.discovery.skipped, *self._left_out.values())
        """What was left out, and why."""
        self.order: tuple[str, ...] = tuple(n for n in self.discovery.order if n not in self._left_out)
        """The enabled plugins, with tables or without, in dependency order."""
        self.modules: tuple[str, ...] = tuple(sorted(_files(set(sys.modules) - before)))
        """The files of the modules that were imported to find all this out."""
        self._facts: dict[Node, SourceFacts] = {}
        for name in self._left_out:
            self.discovery.manager.unregister(name=name)

    @property
    def packages(self) -> frozenset[str]:
        """The top-level packages that were looked up to find all this out."""
        specs = [found.spec for found in self.discovery.found if found.spec is not None]
        named = [place for spec in specs for place in spec.places] + [self.settings.core or ""]
        modules = [*self.settings.hooks, *self.settings.hookspecs]
        modules += [(found.origin.entry_point or "").rpartition(" = ")[2] for found in self.discovery.found]
        return frozenset(name.partition(":")[0].partition(".")[0] for name in (*named, *modules) if name)

    @cached_property
    def policy(self) -> Policy:
        """What a look is judged by."""
        settings = self.settings
        return Policy(
            optional=settings.is_optional,
            refuse_ahead=settings.on_database_ahead == "refuse",
            facts=self._facts_if_readable,
            contract="manual" if settings.presence == "off" else settings.contract_steps,
            contract_delay=settings.contract_delay.total_seconds(),
            refuse_destructive=settings.on_destructive == "refuse",
        )

    @cached_property
    def schemas(self) -> dict[str, str]:
        """Branch -> its schema."""
        return {name: tree.branch.namespace.schema for name, tree in self.graph.trees.items()}

    def caller(self, hook: str, name: str) -> Any:
        """The hook as one plugin alone implements it: pluggy's own order is none to rely on."""
        manager = self.discovery.manager
        others = [plugin for other, plugin in manager.list_name_plugin() if other != name]
        return manager.subset_hook_caller(hook, remove_plugins=[p for p in others if p is not None])

    def facts(self, node: Node) -> SourceFacts:
        """What a revision's source tells; compiles the file first. Raises RevisionFileError."""
        if node not in self._facts:
            path = self.graph.revision(node).path
            try:
                self._facts[node] = source_facts(path, compile_file(path))
            except GraphError as error:
                error.where = replace(
                    self.graph.trees[node.branch].where(node.revision), file=error.where.file
                )
                raise
        return self._facts[node]

    def _facts_if_readable(self, node: Node) -> SourceFacts:
        try:
            return self.facts(node)
        except GraphError:  # the pass says so, when it comes to it
            return SourceFacts()

    def with_dependents(self, names: Iterable[str]) -> frozenset[str]:
        """These plugins and those that require them, with tables or without."""
        found = set(names)
        specs = {plugin.name: plugin.spec for plugin in self.discovery.found}
        for name in self.order:
            spec = specs[name]
            if spec is not None and any(Requirement.parse(text).name in found for text in spec.requires):
                found.add(name)
        return frozenset(found)

    def extended(self, discovery: Discovery) -> Installation:
        """The same with what another discovery has in addition; this one stays as it is.

        Raises GraphError, as when it is made.
        """
        trees = {}
        for branch in discovery.branches:
            known = self.graph.trees.get(branch.name)
            if known is None:
                trees[branch.name] = BranchTree(branch, read_tree(branch))
            elif known.branch != branch:  # it comes after the new one
                trees[branch.name] = BranchTree(branch, tuple(known.revisions.values()))
        extended = copy.copy(self)
        extended.discovery = discovery
        extended.graph = Graph({**self.graph.trees, **trees}.values(), extra_edges=self.settings.extra_edges)
        extended.order = discovery.order
        extended._facts = dict(self._facts)
        for cached in ("schemas", "policy"):  # both are of the old graph
            extended.__dict__.pop(cached, None)
        return extended

    def settled(self, discovery: Discovery) -> Installation:
        """The same graph, its hooks those of a discovery of the same plugins."""
        settled = copy.copy(self)
        settled.discovery = discovery
        return settled

    def _graph(self) -> Graph:
        branches = {branch.name: branch for branch in (ledger_branch(), *self.discovery.branches)}
        while True:
            trees, problems = [], []
            for branch in branches.values():
                try:
                    trees.append(BranchTree(branch, read_tree(branch)))
                except GraphError as error:
                    problems.append(error)
            if not problems:
                try:
                    return Graph(trees, extra_edges=self.settings.extra_edges)
                except GraphError as error:
                    problems.append(error)
            if not self._leave_out(branches, problems):
                raise (
                    problems[0]
                    if len(problems) == 1
                    else DiscoveryError([_as_plugin_error(p) for p in problems])
                )

    def _leave_out(self, branches: dict[str, Branch], problems: list[GraphError]) -> bool:
        """Take the wrong branches out, and what requires them; False where that is not asked for."""
        names = {problem.where.branch: str(problem) for problem in problems}
        if self.settings.on_plugin_error != "skip" or names.keys() & {None, CORE, LEDGER}:
            return False
        todo = [(name, reason) for name, reason in names.items() if name in branches]
        if not todo:
            return False
        while todo:
            name, reason = todo.pop()
            branch = branches.pop(name, None)
            if branch is None:
                continue
            about = {"event": "plugin.skipped", "branch": name}
            _log.warning("plugin %r is left out: %s", name, reason, extra=about)
            self._left_out[name] = Skipped(plugin=name, origin=branch.origin, reason=reason)
            todo += [
                (other.name, f"it requires {name!r}, which is left out")
                for other in branches.values()
                if any(requirement.name == name for requirement in other.requires)
            ]
        return True


def _files(modules: Iterable[str]) -> Iterator[str]:
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            yield file


def _as_plugin_error(error: GraphError) -> PluginError:
    problem = PluginError(error.message, where=error.where, hint=error.hint)
    problem.__cause__ = error
    return problem
