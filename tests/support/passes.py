"""Branches written for a test, and passes over them in this process, without packages or discovery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corehost.alembic.files import read_tree
from corehost.alembic.source import source_facts
from corehost.core.branch import Branch, Origin
from corehost.core.graph import Graph
from corehost.core.namespace import Namespace, version_table_for
from corehost.core.results import MigrationReport
from corehost.core.settings import Settings
from corehost.core.tree import BranchTree
from corehost.installation import ledger_branch
from corehost.migrate import MigrationPass, Observer, PassContext
from corehost.postgres.connect import Connector


def written_branch(
    folder: Path, name: str, revisions: Mapping[str, str], *, schema: str | None = None, **given: Any
) -> Branch:
    """A branch with revision files (name without ``.py`` -> source) in ``<folder>/<name>/versions``.

    It may be called again with more files. ``given`` are fields of Branch.
    """
    script_location = folder.resolve() / name
    versions = script_location / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    for file, source in revisions.items():
        (versions / f"{file}.py").write_text(source)
    schema = schema or name
    return Branch(
        name=name,
        namespace=Namespace(schema=schema, version_table=version_table_for(name, schema)),
        locations=(versions,),
        script_location=script_location,
        origin=Origin(distribution=f"acme-{name}", version="1.0"),
        **given,
    )


def graph_of(*branches: Branch) -> Graph:
    """The graph of these branches and the ledger."""
    return Graph(BranchTree(branch, read_tree(branch)) for branch in (ledger_branch(), *branches))


def run_pass(
    url: str, *branches: Branch, observer: Observer | None = None, **settings: Any
) -> MigrationReport:
    """One pass over these branches; raises as it does."""
    given = Settings(database_url=url, **settings)
    graph = graph_of(*branches)
    context = PassContext(
        graph=graph,
        settings=given,
        facts=lambda node: source_facts(graph.revision(node).path),
        contexts=lambda _: [],
        step_started=lambda _: None,
        step_finished=lambda _step, _result: None,
        observer=observer or Observer(),
    )
    return MigrationPass(context, Connector(given)).run()
