"""Weighs what single files showed against the whole tree: pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from corehost.core.revision import Revision
from corehost.doctor.model import Finding
from corehost.doctor.syntax import call_name, constant, keyword, nodes

_PUBLIC = re.compile(r"public\.(\w+)")


def tables_made(
    revisions: Sequence[Revision], modules: Mapping[str, ast.Module]
) -> Mapping[str, frozenset[str]]:
    """Revision -> the tables that its file evidently makes."""
    return {
        revision.revision: frozenset(_made(modules[revision.path]))
        for revision in revisions
        if revision.path in modules
    }


def _made(module: ast.Module) -> Iterator[str]:
    for node in nodes(module):
        if isinstance(node, ast.Call) and call_name(node) == "create_table" and node.args:
            name = constant(node.args[0])
            if name is not None:
                yield name


def narrowed(
    found: Iterable[Finding], tables: Collection[str], modules: Iterable[ast.Module]
) -> Iterator[Finding]:
    """The findings, with a schema as a key only where the whole tree says it.

    That is where all literal schemas are one, or where SQL says ``public.`` of what the tree itself makes.
    """
    findings = list(found)
    schemas = {finding.keys["schema"] for finding in findings if "schema" in finding.keys}
    own = {*tables, *_types(modules)}
    for finding in findings:
        if "schema" in finding.keys and len(schemas) > 1:
            finding = replace(finding, keys={})
        elif finding.code == "public-in-sql" and schemas <= {"public"}:
            named = set(_PUBLIC.findall(finding.message))
            if own & named:
                finding = replace(finding, keys={"schema": "public"})
        yield finding


def _types(modules: Iterable[ast.Module]) -> Iterator[str]:
    """Names of the enumerations that the files make."""
    for module in modules:
        for node in nodes(module):
            if isinstance(node, ast.Call) and call_name(node).lower() == "enum":
                name = constant(keyword(node, "name"))
                if name is not None:
                    yield name
