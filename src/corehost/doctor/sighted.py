"""What the readers of revision files and of env.py share: a parsed file, findings with a place."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from corehost.doctor.model import Finding, Severity


class Sighted:
    """One parsed file, its nodes in the order of its lines."""

    def __init__(self, found: Iterable[ast.AST], path: str):
        self._path = path
        self._nodes = sorted(found, key=lambda node: getattr(node, "lineno", 0))
        self._assigned = {
            target.id: node.value
            for node in self._nodes
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def _found(
        self, severity: Severity, code: str, message: str, place: ast.expr | int | None, **given: object
    ) -> Finding:
        return Finding(
            severity=severity,
            code=code,
            message=message,
            file=self._path,
            line=place if isinstance(place, int) or place is None else place.lineno,
            **given,  # type: ignore[arg-type]
        )
