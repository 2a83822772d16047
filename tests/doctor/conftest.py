"""Fixtures that write a package and let the doctor look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from corehost.doctor import TreeReport, examine
from support.examined import FIRST, only_tree, package
from support.packages import revision_source


@pytest.fixture
def importable(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of installed packages, on this process's path."""
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def tree(importable: Path) -> Callable[..., TreeReport]:
    """Writes an installed package with these revisions and files, and looks at its one tree."""

    def look(revisions: Mapping[str, str] = FIRST, **files: str) -> TreeReport:
        named = {name.replace("__", "/") + ".py": text for name, text in files.items()}
        return only_tree(examine(str(package(importable, revisions, files=named))))

    return look


@pytest.fixture
def upgrade(tree: Callable[..., TreeReport]) -> Callable[..., TreeReport]:
    """Looks at a tree of one revision with that upgrade, and what stands before it."""

    def look(body: str, head: str = "") -> TreeReport:
        return tree({"0001": revision_source("0001", upgrade=body, head=head)})

    return look
