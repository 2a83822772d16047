"""What is installed here: the discovered branches, their revisions, the one graph of them all."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from corehost.alembic.files import read_tree
from corehost.alembic.source import compile_file, source_facts
from corehost.core.branch import Branch, Origin
from corehost.core.errors import CorehostError, DiscoveryError, GraphError, PluginError
from corehost.core.graph import Graph
from corehost.core.namespace import LEDGER, LEDGER_NAMESPACE
from corehost.core.results import Skipped
from corehost.core.revision import Node, SourceFacts
from corehost.core.settings import Settings
from corehost.core.tree import BranchTree
from corehost.core.version import VERSION
from corehost.discovery import Discovery, discover


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

    Raises DiscoveryError, GraphError or ConfigurationError when it is made.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.discovery: Discovery = discover(settings)
        """What was found, and pluggy's manager."""
        self.skipped: tuple[Skipped, ...] = self.discovery.skipped
        """What was left out, and why."""
        self.graph: Graph = self._graph()
        """The graph of all branches, the ledger's included."""
        self._facts: dict[Node, SourceFacts] = {}

    @cached_property
    def schemas(self) -> dict[str, str]:
        """Branch -> its schema."""
        return {name: tree.branch.namespace.schema for name, tree in self.graph.trees.items()}

    def facts(self, node: Node) -> SourceFacts:
        """What a revision's source tells; compiles the file first. Raises RevisionFileError."""
        if node not in self._facts:
            revision = self.graph.revision(node)
            try:
                compile_file(revision.path)
                self._facts[node] = source_facts(revision.path)
            except GraphError as error:
                error.where = self.graph.trees[node.branch].where(node.revision)
                raise
        return self._facts[node]

    def _graph(self) -> Graph:
        trees, problems = [], []
        for branch in (ledger_branch(), *self.discovery.branches):
            try:
                trees.append(BranchTree(branch, read_tree(branch)))
            except GraphError as error:
                problems.append(_as_plugin_error(branch, error))
        if problems:
            # A branch whose files cannot be read is as wrong as one that cannot be found.
            raise problems[0] if len(problems) == 1 else DiscoveryError(problems)
        return Graph(trees, extra_edges=self.settings.extra_edges)


def _as_plugin_error(branch: Branch, error: CorehostError) -> PluginError:
    problem = PluginError(error.message, where=error.where, hint=error.hint)
    problem.__cause__ = error
    return problem
