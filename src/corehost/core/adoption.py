"""What of each branch somebody else has applied, worked out from the tables that he tracked it in: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from corehost.core.errors import ConfigurationError, did_you_mean
from corehost.core.graph import Graph
from corehost.core.namespace import LEDGER
from corehost.core.revision import Node
from corehost.core.toposort import reached
from corehost.core.tree import BranchTree

_Direct = dict[str, dict[str, set[str]]]  # branch -> table -> the rows in it that speak of the branch


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Tracking:
    """A table that somebody tracks applied revisions in."""

    schema: str
    table: str
    rows: tuple[str, ...] = ()
    """Its ``version_num`` values, sorted."""

    @property
    def name(self) -> str:
        """Schema and table."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """What is to be taken over of one branch."""

    branch: str
    source: str | None
    """The table that says so, or what else did; None where nothing says anything of the branch."""
    rows: tuple[str, ...] = ()
    """The rows that its version table is to have."""
    applied: tuple[str, ...] = ()
    """The revisions that these stand for, in order."""
    implied: bool = False
    """Whether no row names the branch: other branches' revisions, which are applied, need these."""

    def __bool__(self) -> bool:
        return bool(self.applied)


def work_out(
    graph: Graph,
    tables: Iterable[Tracking],
    *,
    ours: Collection[str] = (),
    given: Mapping[str, str] | None = None,
    skip_unknown: bool = False,
) -> tuple[Adoption, ...]:
    """What is to be taken over of every branch but ``ours`` (those that the ledger has), by name.

    A branch whose own version table has rows is read from that one alone. The rows of every other table
    belong to the branches that have these revisions; what they need by the files' own ``down_revision``
    and ``depends_on`` is applied too: a shared version table has no rows for what others imply, nor has a
    part of it that was taken over before. ``given`` says which table (``schema.table``) tracks a branch.

    Raises ConfigurationError where a row may mean several branches, or none (unless ``skip_unknown``),
    where two tables speak of one branch, and where several branches' rows are in one's own table.
    """
    found = {table.name: table for table in tables}
    own = _own_tables(graph, found, ours)
    given = {**own, **_checked(graph, found, given or {})}
    known = {own[name] for name in own if name in ours}
    direct: _Direct = {}
    for table in sorted(found.values()):
        for row in table.rows:
            owners = [name for name, tree in graph.trees.items() if name != LEDGER and row in tree.revisions]
            if not owners and not skip_unknown and table.name not in known:
                raise ConfigurationError(
                    f"row {row!r} of {table.name} belongs to no installed branch",
                    hint="install the package that ships it, or leave it alone with --skip-unknown",
                )
            candidates = [name for name in owners if given.get(name, table.name) == table.name]
            for name in _one(graph, table, row, candidates, given):
                direct.setdefault(name, {}).setdefault(table.name, set()).add(row)
    names = [name for name in sorted(graph.trees) if name != LEDGER and name not in ours]
    return tuple(_adoption(graph, name, direct, own.get(name), known) for name in names)


def told(graph: Graph, applied: Mapping[str, Iterable[str]], *, source: str) -> tuple[Adoption, ...]:
    """The same of what a host's own function has read: branch -> the newest (or all) applied revisions.

    Raises ConfigurationError for branches and revisions that are not installed.
    """
    adoptions = []
    for name, revisions in sorted(applied.items()):
        if name not in graph.trees or name == LEDGER:
            raise ConfigurationError(
                f"{source} names branch {name!r}, which is not installed",
                hint=did_you_mean(name, graph.trees),
            )
        tree = graph.trees[name]
        known = tree.closure(tree.find(revision) for revision in revisions)
        adoptions.append(_taken(tree, known, source=source))
    return tuple(adoptions)


def _own_tables(graph: Graph, found: Mapping[str, Tracking], ours: Collection[str]) -> dict[str, str]:
    """Branch -> its own version table, where that is there and has rows.

    Rows that are not known are others', unless the ledger has the branch: then they are newer code's.
    """
    own = {}
    for name, tree in graph.trees.items():
        table = f"{tree.branch.namespace.schema}.{tree.branch.namespace.version_table}"
        if table in found and found[table].rows:
            own[name] = table
            if name not in ours and (strangers := tree.unknown(found[table].rows)):
                raise ConfigurationError(
                    f"version table {table} of branch {name!r} has rows of others: {', '.join(strangers)}",
                    where=tree.where(),
                    hint="give the branch a version table of its own: version_table of its mount",
                )
    return own


def _checked(graph: Graph, found: Mapping[str, Tracking], given: Mapping[str, str]) -> Mapping[str, str]:
    for name, table in given.items():
        if name not in graph.trees:
            raise ConfigurationError(f"there is no branch {name!r}", hint=did_you_mean(name, graph.trees))
        if table not in found:
            raise ConfigurationError(
                f"there is no table {table!r} that tracks revisions", hint=did_you_mean(table, found)
            )
    return given


def _one(
    graph: Graph,
    table: Tracking,
    row: str,
    candidates: Sequence[str],
    given: Mapping[str, str],
) -> Sequence[str]:
    """The one branch that a row speaks of; none where another table speaks of the branch."""
    if len(candidates) > 1:
        # Who was told to be tracked here, or else lives here, is meant.
        for meant in (
            [name for name in candidates if given.get(name) == table.name],
            [name for name in candidates if graph.trees[name].branch.namespace.schema == table.schema],
        ):
            if len(meant) == 1:
                return meant
        raise ConfigurationError(
            f"row {row!r} of {table.name} may mean {' or '.join(candidates)}",
            hint=f"say which table tracks a branch: --from {candidates[0]}={table.name}",
        )
    return candidates


def _adoption(graph: Graph, name: str, direct: _Direct, own: str | None, known: Collection[str]) -> Adoption:
    """What is to be taken over of one branch; ``known`` are the tables of those taken over before."""
    tree = graph.trees[name]
    if sources := direct.get(name):
        if len(sources) > 1:
            raise ConfigurationError(
                f"both {' and '.join(sorted(sources))} speak of branch {name!r}",
                where=tree.where(),
                hint=f"say which one does: --from {name}={min(sources)}",
            )
        (source,) = sources
        believed = {source} if source == own else {source, *known}
        return _taken(tree, _with_needs(graph, name, believed, direct), source=source)
    tables = sorted({table for tables in direct.values() for table in tables})
    implied = {table: found for table in tables if (found := _with_needs(graph, name, [table], direct))}
    if implied:
        return _taken(tree, frozenset().union(*implied.values()), source=", ".join(implied), implied=True)
    return Adoption(branch=name, source=None)


def _with_needs(graph: Graph, name: str, believed: Collection[str], direct: _Direct) -> frozenset[str]:
    """The branch's revisions among all that the rows of some tables stand for."""
    start = [
        Node(other, row)
        for other, tables in direct.items()
        for table in believed
        for row in tables.get(table, ())
    ]

    def needs(node: Node) -> list[Node]:
        own = [Node(node.branch, parent) for parent in graph.trees[node.branch].parents[node.revision]]
        return own + list(graph.declared.get(node, ()))

    return frozenset(node.revision for node in reached(start, needs) if node.branch == name)


def _taken(tree: BranchTree, applied: Collection[str], *, source: str, implied: bool = False) -> Adoption:
    return Adoption(
        branch=tree.branch.name,
        source=source,
        rows=tree.rows_of(applied),
        applied=tuple(revision for revision in tree.order if revision in applied),
        implied=implied,
    )
