"""Brings it together: finds a package, reads its trees, says how to host them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from corehost.alembic.files import as_revision, revision_files
from corehost.alembic.literals import parse
from corehost.core.branch import Branch
from corehost.core.errors import CorehostError, PluginError, Where
from corehost.core.namespace import Namespace, version_table_for
from corehost.core.revision import Revision
from corehost.core.tree import BranchTree
from corehost.discovery.locate import revision_folders as locations_of
from corehost.doctor import imported
from corehost.doctor.environment import Environment
from corehost.doctor.location import Location, branch_names, locate_in, named
from corehost.doctor.model import Finding, PackageReport, TreeReport
from corehost.doctor.mount import mount_of
from corehost.doctor.neighbours import PLUGINS, Declared, Neighbours, declared
from corehost.doctor.public import narrowed, tables_made
from corehost.doctor.revision_file import RevisionFile, read
from corehost.doctor.revision_source import Look
from corehost.doctor.shape import Shape
from corehost.doctor.subject import Subject, find
from corehost.doctor.trees import Tree, group
from corehost.doctor.walk import is_zipped, revision_folders

_GRAVITY = ("error", "warning", "info")


def examine(name: str) -> PackageReport:
    """What can be hosted of a package: a folder, a wheel, a distribution's name or an import name.

    Nothing of it is imported, and no file executed but a revision whose header is not literal. Raises
    PluginError where nothing of that name is found.
    """
    report = None
    for subject in find(name):
        found = _examined(subject)
        if found.trees:
            return found
        report = report or found
    if report is None:
        raise PluginError(
            f"there is no package {name!r}: no folder, no distribution and no import package of that name",
            hint="install it, put it on PYTHONPATH, or name its folder",
        )
    return report


def _examined(subject: Subject) -> PackageReport:
    folders = revision_folders(subject.folders)
    trees = group({folder: [read(file) for file in files] for folder, files in folders.items()})
    located = [[locate_in(folder, subject.folders) for folder in tree.folders] for tree in trees]
    places = [first for first, *_ in located]
    claims = {claim.folder: claim for claim in declared(subject.entry_points)}
    claimed = [claims.get(Path(tree.folder).resolve()) for tree in trees]
    names = [
        claim.name if claim is not None else name
        for claim, name in zip(claimed, branch_names(places), strict=True)
    ]
    neighbours = Neighbours()
    checks = [
        _Check(tree, places, name, claim, subject)
        for tree, places, name, claim in zip(trees, located, names, claimed, strict=True)
    ]
    reports = [check.report(checks, neighbours) for check in checks]
    return PackageReport(
        package=subject.name,
        distribution=subject.origin.distribution,
        version=subject.origin.version,
        trees=tuple(sorted(reports, key=lambda report: report.name)),
    )


class _Check:
    """One tree, looked at."""

    def __init__(
        self,
        tree: Tree,
        locations: Sequence[Location],
        name: str,
        claim: Declared | None,
        subject: Subject,
    ):
        self.name = name
        self.tree = tree
        self._location = locations[0]
        self._named = named(locations)
        self._claim = claim
        self._subject = subject
        schema = name
        self._branch = Branch(
            name=name,
            namespace=Namespace(schema=schema, version_table=version_table_for(name, schema)),
            locations=tuple(place for folder in tree.folders for place in locations_of(Path(folder))),
            script_location=Path(tree.folder),
            recursive=tree.recursive,
        )
        self._files, self._split = self._as_corehost_reads()
        self._wrong: list[Finding] = []
        self._revisions = tuple(self._as_revisions())
        self.shape = Shape(self._revisions)

    def report(self, checks: Sequence[_Check], neighbours: Neighbours) -> TreeReport:
        """All that is found of it."""
        findings = [*self._findings(checks, neighbours)]
        findings.sort(key=lambda finding: _GRAVITY.index(finding.severity))
        # what an entry point says is enough where it is all that there is
        said = self._claim is not None and len(self.tree.folders) == 1
        migrations = self._claim.value if self._claim is not None and said else self._named
        return TreeReport(
            name=self.name,
            folder=self.tree.folder,
            migrations=migrations,
            revisions=len(self.shape.by_id),
            heads=self.shape.heads,
            bases=self.shape.bases,
            labels=tuple(sorted(self.shape.labels)),
            findings=tuple(findings),
            mount=mount_of(self.name, migrations, self.tree.recursive, findings),
            group=self._claim.group if self._claim is not None and said else None,
        )

    def _as_corehost_reads(self) -> tuple[tuple[RevisionFile, ...], tuple[str, ...]]:
        """The files that the mount gives, and those of the tree that it misses."""
        known = {file.path: file for file in self.tree.files}
        if is_zipped(self.tree.folder):
            return self.tree.files, ()
        try:
            paths = revision_files(self._branch)
        except CorehostError:
            return self.tree.files, ()
        missed = tuple(sorted(known.keys() - set(paths)))
        files = [known[path] if path in known else read(path) for path in (*paths, *missed)]
        return tuple(files), missed

    def _as_revisions(self) -> Iterator[Revision]:
        for file in self._files:
            if file.header is None:
                continue
            try:
                yield as_revision(file.header, file.path, self._branch)
            except CorehostError as error:
                message = f"{error.message}; {error.hint}" if error.hint else error.message
                self._wrong.append(
                    Finding(severity="error", code="wrong-header", message=message, file=file.path)
                )

    def _findings(self, checks: Sequence[_Check], neighbours: Neighbours) -> Iterator[Finding]:
        yield from self._placed()
        yield from self._wrong
        for file in self._files:
            for finding in file.findings:
                # its modules may be there once it is installed
                late = finding.code == "header-fails" and not self._location.importable
                yield replace(finding, severity="warning") if late else finding
        shape = list(self.shape.findings(tables_made(self._revisions, self._modules())))
        yield from shape
        looked = [
            finding for file, module in self._modules().items() for finding in Look(module, file).findings()
        ]
        made = {
            table for tables in tables_made(self._revisions, self._modules()).values() for table in tables
        }
        yield from narrowed(looked, made, self._modules().values())
        yield from imported.findings(
            self._modules(), self._location.root, self._location.package, self._location.importable
        )
        yield from self._environment(any(finding.code == "uses-metadata" for finding in looked))
        yield from self._foreign(checks, neighbours)
        if not self._wrong and not any(finding.severity == "error" for finding in shape):
            yield from self._linked()

    def _placed(self) -> Iterator[Finding]:
        if not self._location.importable:
            package, root = self._location.package, self._location.root
            message = f"{package} is not importable here: install it, or put {root} on PYTHONPATH"
            yield Finding(severity="warning", code="not-importable", message=message)
        elif is_zipped(self.tree.folder):
            message = "it lies in a zip file, and is taken out of it anew by each process"
            yield Finding(severity="info", code="zipped", message=message, file=self.tree.folder)
        if len(self.tree.folders) > 1:
            message = (
                f"its revisions lie in {len(self.tree.folders)} folders, which are linked with each other"
            )
            yield Finding(severity="info", code="several-folders", message=message)
        if self._split:
            message = (
                f"its revisions lie in several folders, and {self.tree.folder} as `migrations` misses "
                f"{len(self._split)} of them: bring them into one versions folder"
            )
            yield Finding(severity="error", code="split", message=message, file=self._split[0])
        if self.tree.recursive:
            yield Finding(severity="info", code="nested", message="its revisions lie in nested folders")
        if self._claim is not None and len(self.tree.folders) == 1:
            message = (
                f"its distribution declares it in the entry-point group {self._claim.group}: "
                "name that in `migration_groups`, and no mount is needed"
            )
            yield Finding(severity="info", code="declared", message=message)
        for entry in self._subject.entry_points:
            if entry.group == PLUGINS:
                message = (
                    f"its distribution is a plugin ({entry.name}): it may be hosted already, without a mount"
                )
                yield Finding(severity="info", code="plugin", message=message)

    def _modules(self) -> Mapping[str, ast.Module]:
        return {file.path: file.module for file in self._files if file.module is not None}

    def _environment(self, needs_metadata: bool) -> Iterator[Finding]:
        path = Path(self.tree.folder, "env.py")
        try:
            module = parse(path.read_bytes(), Where(file=str(path)))
        except (OSError, CorehostError):
            if needs_metadata:
                message = "its revisions use target_metadata, and there is no env.py that says which"
                proposal = 'metadata = "module:attribute"'
                yield Finding(severity="warning", code="metadata", message=message, proposal=proposal)
            return
        text = imported.module_text(self._location.root)
        yield from Environment(module, str(path), text).findings(needs_metadata=needs_metadata)

    def _foreign(self, checks: Iterable[_Check], neighbours: Neighbours) -> Iterator[Finding]:
        others = [check for check in checks if check is not self]
        for revision, name in self.shape.foreign():
            inner = name.rpartition("@")[2]
            beside = [c for c in others if {name, inner} & (c.shape.by_id.keys() | c.shape.labels.keys())]
            found = None if beside else neighbours.holder(name, but=Path(self.tree.folder).resolve())
            holder = beside[0].name if beside else found.name if found is not None else None
            if holder is None:
                message = (
                    f"{revision.revision} depends on {name!r}, which nothing has that is found here: "
                    "install, and mount, the package that has it"
                )
                yield Finding(
                    severity="error" if self._location.importable else "warning",
                    code="missing-dependency",
                    message=message,
                    file=revision.path,
                )
            else:
                message = f"{revision.revision} depends on {name!r} of {holder}, which is to be hosted too"
                yield Finding(
                    severity="info",
                    code="dependency",
                    message=message,
                    file=revision.path,
                    keys={"requires": [holder]},
                    neighbour=found,
                )

    def _linked(self) -> Iterator[Finding]:
        """What corehost's own linking refuses, and nothing above has told."""
        try:
            BranchTree(self._branch, self._revisions)
        except CorehostError as error:
            yield Finding(severity="error", code="graph", message=error.message, file=error.where.file)
