"""What a tree's revisions are to each other, and what is missing among them: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from corehost.core.revision import Revision
from corehost.doctor.model import Finding

_ID_LENGTH = 32


class Shape:
    """The revisions of a tree, linked."""

    def __init__(self, revisions: Sequence[Revision]):
        self._all = revisions
        self.by_id: Mapping[str, Revision] = {revision.revision: revision for revision in revisions}
        """The revisions by id; of several with one id, the last."""
        self.labels: Mapping[str, str] = {
            label: revision.revision for revision in revisions for label in revision.branch_labels
        }
        """Branch label -> the revision that declares it."""

    @property
    def heads(self) -> tuple[str, ...]:
        """The revisions that no other one follows, sorted."""
        needed = {parent for revision in self.by_id.values() for parent in revision.down_revision}
        return tuple(sorted(self.by_id.keys() - needed))

    @property
    def bases(self) -> tuple[str, ...]:
        """The revisions without a parent, sorted."""
        return tuple(sorted(name for name, one in self.by_id.items() if not one.down_revision))

    def foreign(self) -> Iterator[tuple[Revision, str]]:
        """What the revisions depend on that the tree does not have."""
        for revision in self.by_id.values():
            for name in revision.depends_on:
                label, _, inner = name.rpartition("@")
                if not any(one in self.by_id or one in self.labels for one in (name, label and inner)):
                    yield revision, name

    def histories(self) -> list[frozenset[str]]:
        """The revisions in sets that nothing links: no parent, no dependency."""
        neighbours: dict[str, set[str]] = {name: set() for name in self.by_id}
        for name, revision in self.by_id.items():
            for other in (*revision.down_revision, *revision.depends_on):
                other = self.labels.get(other, other)
                if other in neighbours:
                    neighbours[name].add(other)
                    neighbours[other].add(name)
        left, found = set(neighbours), []
        while left:
            todo, seen = [min(left)], set()
            while todo:
                if (name := todo.pop()) not in seen:
                    seen.add(name)
                    todo += neighbours[name]
            left -= seen
            found.append(frozenset(seen))
        return found

    def findings(self, tables: Mapping[str, Collection[str]]) -> Iterator[Finding]:
        """What is wrong, or to be decided; ``tables``: the tables that each revision evidently makes."""
        yield from self._ids()
        yield from self._parents()
        yield from self._lines(tables)

    def _ids(self) -> Iterator[Finding]:
        seen: dict[str, Revision] = {}
        for revision in self._all:
            other = seen.setdefault(revision.revision, revision)
            if other is not revision:
                message = f"revision {revision.revision} is in another file too, {other.path}"
                yield Finding(severity="error", code="duplicate-id", message=message, file=revision.path)
            if len(revision.revision) > _ID_LENGTH:
                message = (
                    f"revision id {revision.revision!r} is longer than {_ID_LENGTH}: corehost's version "
                    "tables are made wide enough, Alembic's own are not"
                )
                yield Finding(severity="info", code="long-id", message=message, file=revision.path)

    def _parents(self) -> Iterator[Finding]:
        for revision in self.by_id.values():
            for parent in revision.down_revision:
                if parent not in self.by_id:
                    message = f"down_revision {parent!r} of {revision.revision} is not there"
                    yield Finding(
                        severity="error", code="missing-parent", message=message, file=revision.path
                    )

    def _lines(self, tables: Mapping[str, Collection[str]]) -> Iterator[Finding]:
        if len(self.heads) < 2:
            return
        ends = ", ".join(self._called(head) for head in self.heads)
        histories = self.histories()
        twice = _made_twice(histories, tables)
        if twice:
            choices = [self._target(head) for head in self.heads]
            message = (
                f"its {len(self.heads)} heads ({ends}) are alternatives: {twice} is made in several "
                f"histories that nothing links; choose one of them as `target`: {', '.join(choices)}"
            )
            proposal = f'target = "{choices[0]}"  # or {", ".join(choices[1:])}'
            yield Finding(
                severity="warning", code="alternative-histories", message=message, proposal=proposal
            )
        elif len(histories) > 1:
            message = (
                f"it has {len(self.heads)} heads ({ends}) in {len(histories)} histories that nothing links: "
                f"all are applied, unless `target` names one, such as {self._target(self.heads[0])}"
            )
            yield Finding(severity="info", code="several-histories", message=message)
        else:
            message = f"it has {len(self.heads)} heads, all of which are applied: {ends}"
            yield Finding(severity="info", code="several-heads", message=message)

    def _labels_of(self, head: str) -> list[str]:
        before, todo = set[str](), [head]
        while todo:
            name = todo.pop()
            if name not in before and name in self.by_id:
                before.add(name)
                todo += self.by_id[name].down_revision
        return sorted(label for label, revision in self.labels.items() if revision in before)

    def _target(self, head: str) -> str:
        labels = self._labels_of(head)
        alone = [label for label in labels if sum(label in self._labels_of(o) for o in self.heads) == 1]
        return f"{alone[0]}@head" if alone else head

    def _called(self, head: str) -> str:
        labels = self._labels_of(head)
        return f"{head} of {'/'.join(labels)}" if labels else head


def _made_twice(histories: Iterable[frozenset[str]], tables: Mapping[str, Collection[str]]) -> str | None:
    seen: set[str] = set()
    for history in histories:
        made = {table for name in history for table in tables.get(name, ())}
        if twice := sorted(seen & made):
            return f"the table {twice[0]}"
        seen |= made
    return None
