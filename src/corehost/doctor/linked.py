"""What a tree's headers say together, and what corehost would refuse of it: pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corehost.alembic.files import as_revision
from corehost.alembic.reach import call_name, reach
from corehost.core.branch import Branch
from corehost.core.errors import CorehostError, RevisionFileError
from corehost.core.namespace import Namespace
from corehost.core.revision import Revision
from corehost.core.toposort import reached
from corehost.core.tree import BranchTree
from corehost.doctor.model import Finding
from corehost.doctor.revision_file import RevisionFile

_WIDTH: Final = 32  # of stock Alembic's version_num
_MAIN: Final = ("main", "default", "master")


@dataclass(frozen=True, kw_only=True, slots=True)
class Linked:
    """A tree's revisions, and what is to be said of how they hang together."""

    heads: tuple[str, ...]
    """The revisions that nothing of the tree needs, sorted."""
    bases: tuple[str, ...]
    """The revisions without a parent, sorted."""
    labels: tuple[str, ...]
    """The branch labels, sorted."""
    findings: tuple[Finding, ...]
    """What was found."""


def link(name: str, files: Sequence[RevisionFile]) -> Linked:
    """Link the revisions as corehost does; what it would refuse becomes a finding for each."""
    findings: list[Finding] = []
    branch = Branch(
        name=name,
        namespace=Namespace(schema=name, version_table="alembic_version"),
        locations=(),
        script_location=Path(),
    )
    revisions: dict[str, Revision] = {}
    for file in files:
        if file.header is None:
            continue
        try:
            revision = as_revision(file.header, file.path, branch)
        except RevisionFileError as error:
            findings.append(_refused("wrong-revision", error, file.path))
            continue
        other = revisions.setdefault(revision.revision, revision)
        if other is not revision:
            findings.append(
                Finding(
                    severity="error",
                    code="duplicate-id",
                    message=f"revision {revision.revision} is in two files, this and "
                    f"{Path(other.path).name}: remove one, or give it an id of its own",
                    file=file.path,
                )
            )
    if all(file.header is not None for file in files):
        findings += _missing_parents(revisions)
    findings += _long_ids(revisions)
    if not any(finding.severity == "error" for finding in findings):
        findings += _as_one(branch, revisions, files)
    needed = {parent for revision in revisions.values() for parent in _own_parents(revision, revisions)}
    return Linked(
        heads=tuple(sorted(revisions.keys() - needed)),
        bases=tuple(sorted(one.revision for one in revisions.values() if not one.down_revision)),
        labels=tuple(sorted({label for one in revisions.values() for label in one.branch_labels})),
        findings=tuple(findings),
    )


def _own_parents(revision: Revision, revisions: Mapping[str, Revision]) -> list[str]:
    labels = {label: one.revision for one in revisions.values() for label in one.branch_labels}
    names = [*revision.down_revision, *revision.depends_on]
    return [found for name in names if (found := labels.get(name, name)) in revisions]


def _missing_parents(revisions: Mapping[str, Revision]) -> Iterator[Finding]:
    for revision in revisions.values():
        for parent in revision.down_revision:
            if parent not in revisions:
                yield Finding(
                    severity="error",
                    code="missing-parent",
                    message=f"down_revision {parent!r} of {revision.revision} is not there: "
                    "the package is incomplete, or its history goes on from another tree",
                    file=revision.path,
                )


def _long_ids(revisions: Iterable[str]) -> Iterator[Finding]:
    if found := sorted(name for name in revisions if len(name) > _WIDTH):
        yield Finding(
            severity="info",
            code="long-id",
            message=f"{len(found)} revision ids are longer than {_WIDTH} characters, such as {found[0]}: "
            "corehost makes the version table as wide as they need",
        )


def _as_one(
    branch: Branch, revisions: Mapping[str, Revision], files: Sequence[RevisionFile]
) -> Iterator[Finding]:
    try:
        tree = BranchTree(branch, tuple(revisions.values()))
    except CorehostError as error:
        yield _refused("wrong-graph", error, error.where.file)
        return
    for revision, names in sorted(tree.foreign.items()):
        told = ", ".join(map(repr, names))
        yield Finding(
            severity="warning",
            code="foreign-dependency",
            message=f"{revision} depends on {told}, which this tree does not have: host the package that "
            "does as well",
            file=revisions[revision].path,
        )
    if len(tree.heads) > 1:
        yield _several_heads(tree, files)


def _several_heads(tree: BranchTree, files: Sequence[RevisionFile]) -> Finding:
    lines = _components(tree)
    tables = _tables(files)
    made = [{table for revision in line for table in tables.get(revision, ())} for line in lines]
    clash = next(
        (min(one & other) for place, one in enumerate(made) for other in made[:place] if one & other), None
    )
    if clash is None:
        return Finding(
            severity="info",
            code="several-heads",
            message=f"{len(tree.heads)} heads are all applied: {', '.join(tree.heads)}",
        )
    choices = sorted(_target(tree, line) for line in lines)
    wanted = [f"{label}@head" for label in _MAIN]
    chosen = next((choice for choice in wanted if choice in choices), None)
    if chosen is None:
        chosen = _target(tree, max(lines, key=lambda line: (len(line), sorted(line))))
    return Finding(
        severity="warning",
        code="alternative-histories",
        message=f"{len(lines)} histories each make the table {clash!r}, so that only one of them can be "
        f"applied: choose target among {', '.join(choices)}",
        keys={"target": chosen},
    )


def _components(tree: BranchTree) -> list[frozenset[str]]:
    """The sets of revisions that are linked with each other."""
    beside: dict[str, set[str]] = {name: set() for name in tree.revisions}
    for name, parents in tree.parents.items():
        for parent in parents:
            beside[name].add(parent)
            beside[parent].add(name)
    found: list[frozenset[str]] = []
    for name in sorted(beside):
        if not any(name in one for one in found):
            found.append(frozenset((name, *reached([name], beside.__getitem__))))
    return found


def _target(tree: BranchTree, line: frozenset[str]) -> str:
    heads = [head for head in tree.heads if head in line]
    labels = sorted(label for label, revision in tree.labels.items() if revision in line)
    return f"{labels[0]}@head" if labels and len(heads) == 1 else heads[0]


def _tables(files: Sequence[RevisionFile]) -> Mapping[str, frozenset[str]]:
    """Revision -> the tables that its upgrade makes, as far as they are named in it."""
    found = {}
    for file in files:
        if file.header is not None and file.header.revision is not None and file.module is not None:
            calls = (call for call in reach(file.module).calls if call_name(call) == "create_table")
            names = (call.args[0] for call in calls if call.args)
            found[file.header.revision] = frozenset(
                name.value
                for name in names
                if isinstance(name, ast.Constant) and isinstance(name.value, str)
            )
    return found


def _refused(code: str, error: CorehostError, file: str | None) -> Finding:
    message = f"{error.message}: {error.hint}" if error.hint else error.message
    return Finding(severity="error", code=code, message=message, file=file)
