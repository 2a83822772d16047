"""One branch's revisions, linked inside the branch as Alembic links them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from corehost.core.branch import Branch
from corehost.core.errors import (
    AmbiguousRevisionError,
    CycleError,
    GraphError,
    MissingRevisionError,
    Where,
    did_you_mean,
)
from corehost.core.revision import Revision
from corehost.core.toposort import find_cycle, reached, topological_order


class BranchTree:
    """A branch and its revisions; ``down_revision`` and the branch's own ``depends_on`` resolved.

    Raises GraphError (missing parents, cycles, a label used twice, a target that names nothing) when
    it is made, with the file.
    """

    def __init__(self, branch: Branch, revisions: Sequence[Revision]):
        self.branch = branch
        self.revisions: Mapping[str, Revision] = {r.revision: r for r in revisions}
        """The revisions by id."""
        self.labels: Mapping[str, str] = self._labels()
        """Branch label -> the revision that declares it."""
        self.parents: dict[str, tuple[str, ...]] = {}
        """Revision -> its down revisions and what it depends on inside the branch."""
        self.foreign: dict[str, tuple[str, ...]] = {}
        """Revision -> what it depends on outside the branch, as the file writes it."""
        for revision in self.revisions.values():
            self._link(revision)
        self._refuse_cycles()
        self.target_heads: tuple[str, ...] = self.resolve(branch.target)
        """What the branch's target stands for, sorted."""

    def where(self, revision: str | None = None) -> Where:
        """Who and where a revision of this branch is."""
        origin = self.branch.origin
        found = self.revisions.get(revision or "")
        return Where(
            branch=self.branch.name,
            revision=revision,
            distribution=origin.distribution,
            version=origin.version,
            file=found.path if found else None,
        )

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The revisions that nothing of the branch needs, sorted: what Alembic's ``heads`` stands for."""
        needed = {parent for parents in self.parents.values() for parent in parents}
        return tuple(sorted(self.revisions.keys() - needed))

    @cached_property
    def line_heads(self) -> tuple[str, ...]:
        """The revisions that are no other's down_revision, sorted: what Alembic's ``head`` looks at."""
        needed = {parent for revision in self.revisions.values() for parent in revision.down_revision}
        return tuple(sorted(self.revisions.keys() - needed))

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every revision after its parents; ties by id."""
        return tuple(topological_order(self.revisions, self.parents.__getitem__, key=lambda r: r))

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The target and all that comes before it in the branch."""
        if self.target_heads == self.heads:
            return frozenset(self.revisions)
        return self.closure(self.target_heads)

    def closure(self, revisions: Iterable[str]) -> frozenset[str]:
        """These revisions and all their ancestors along down_revision and depends_on."""
        return frozenset(reached(revisions, self.parents.__getitem__))

    def applied(self, rows: Iterable[str]) -> frozenset[str]:
        """What the rows of the version table stand for; rows that are not known here are left out."""
        known = tuple(sorted(row for row in rows if row in self.revisions))
        return frozenset(self.revisions) if known == self.heads else self.closure(known)

    def rows_after(self, rows: Iterable[str], revision: str) -> tuple[str, ...]:
        """The rows of the version table once a revision is applied too, sorted: those that Alembic leaves.

        What the revision descends from, or depends on inside the branch, has no row any more.
        """
        return tuple(sorted({*rows, revision}.difference(self.parents[revision])))

    def rows_of(self, applied: Collection[str]) -> tuple[str, ...]:
        """The rows that Alembic would leave of a set of applied revisions."""
        rows: tuple[str, ...] = ()
        for revision in self.order:
            if revision in applied:
                rows = self.rows_after(rows, revision)
        return rows

    def unknown(self, rows: Iterable[str]) -> tuple[str, ...]:
        """The rows of the version table that this code does not have, sorted."""
        return tuple(sorted(row for row in rows if row not in self.revisions))

    def resolve(self, target: str) -> tuple[str, ...]:
        """The revisions that an Alembic target names: ``heads``, ``head``, ``label@head``, an id.

        Raises GraphError where it names none, or where ``head`` names several.
        """
        label, _, name = target.rpartition("@")
        if not label and name == "heads":
            return self.heads
        heads = self.lineage_heads(label) if label else self.line_heads
        if name == "heads":
            return heads
        if name == "head":
            if len(heads) > 1:
                raise GraphError(
                    f"target {target!r} stands for several heads: {', '.join(heads)}",
                    where=self.where(),
                    hint="name one of them, or 'heads'",
                )
            return heads
        return (self.find(name),)

    def find(self, name: str) -> str:
        """The one revision with that id, label, or unambiguous beginning of an id."""
        if name in self.revisions:
            return name
        if name in self.labels:
            return self.labels[name]
        starts = sorted(r for r in self.revisions if len(name) >= 4 and r.startswith(name))
        if len(starts) == 1:
            return starts[0]
        if starts:
            raise AmbiguousRevisionError(
                f"{name!r} is the beginning of {', '.join(starts)}", where=self.where()
            )
        raise MissingRevisionError(
            f"there is no revision {name!r}", where=self.where(), hint=did_you_mean(name, self.revisions)
        )

    def lineage_heads(self, label: str) -> tuple[str, ...]:
        """The heads that descend from the revision with that label or id, along down_revision alone."""
        start = self.find(label)
        seen = {start}
        for revision in self.order:
            if not seen.isdisjoint(self.revisions[revision].down_revision):
                seen.add(revision)
        return tuple(head for head in self.line_heads if head in seen)

    def _labels(self) -> Mapping[str, str]:
        labels: dict[str, str] = {}
        for revision in self.revisions.values():
            for label in revision.branch_labels:
                if label in labels:
                    other = self.revisions[labels[label]]
                    raise AmbiguousRevisionError(
                        f"branch label {label!r} is declared in both {other.path} and {revision.path}",
                        where=self.where(revision.revision),
                    )
                labels[label] = revision.revision
        return labels

    def _link(self, revision: Revision) -> None:
        for parent in revision.down_revision:
            if parent not in self.revisions:
                raise MissingRevisionError(
                    f"down_revision {parent!r} of {revision.revision} is not installed",
                    where=self.where(revision.revision),
                    hint=did_you_mean(parent, self.revisions),
                )
        own: list[str] = list(revision.down_revision)
        foreign: list[str] = []
        for name in revision.depends_on:
            found = self._own(name)
            if not found:
                foreign.append(name)
            own += [f for f in found if f not in own]
        self.parents[revision.revision] = tuple(own)
        if foreign:
            self.foreign[revision.revision] = tuple(foreign)

    def _own(self, name: str) -> tuple[str, ...]:
        """What a name in ``depends_on`` means inside the branch, if it means anything there."""
        if name in self.revisions:
            return (name,)
        if name in self.labels:
            return (self.labels[name],)
        label, at, inner = name.rpartition("@")
        if at and (label in self.labels or label == self.branch.name) and inner in self.revisions:
            return (inner,)
        return ()

    def _refuse_cycles(self) -> None:
        if cycle := find_cycle(self.revisions, self.parents.__getitem__):
            raise CycleError(draw_cycle(cycle, lambda r: self.revisions[r].path), where=self.where(cycle[0]))


def draw_cycle(cycle: Sequence[object], file_of: Callable[..., str | None]) -> str:
    """A cycle as text, one line per member, each needing the one below it."""

    def lines() -> Iterator[str]:
        yield "these wait for each other, each for the one below it:"
        for member in [*cycle, cycle[0]]:
            file = file_of(member)
            yield f"    {member}" + (f"  ({file})" if file else "")

    return "\n".join(lines())
