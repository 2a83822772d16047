"""Which revisions were in an earlier release: of those behind a revision, or in the files of a git commit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from corehost.core.errors import ConfigurationError, CorehostError
from corehost.core.graph import Graph
from corehost.core.tree import BranchTree


def shipped(graph: Graph, names: Iterable[str], since: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Branch -> the revisions that an earlier release had; only of the branches that ``since`` speaks of.

    Each of ``since`` is ``branch@revision``, or a revision of one of the branches, or what git calls a
    commit: a tag, a branch. Raises ConfigurationError for what is none of these.
    """
    found: dict[str, frozenset[str]] = {}
    for text in since:
        known: dict[str, frozenset[str]] = {}
        for name in names:
            revisions = _behind(graph.trees[name], text)
            if revisions is None and "@" not in text:
                revisions = _in_git(graph.trees[name], text)
            if revisions is not None:
                known[name] = revisions
        if not known:
            raise ConfigurationError(
                f"--since {text!r} is neither a revision of {', '.join(names)} nor a git commit there",
                hint="name a revision, as branch@revision where several are looked at, or a git tag",
            )
        for name, revisions in known.items():
            found[name] = found.get(name, frozenset()) | revisions
    return found


def _behind(tree: BranchTree, text: str) -> frozenset[str] | None:
    label, at, name = text.rpartition("@")
    if at and label != tree.branch.name:
        return None
    try:
        return tree.closure((tree.find(name),))
    except CorehostError:
        return None


def _in_git(tree: BranchTree, commit: str) -> frozenset[str] | None:
    """The revisions whose files the commit has in their folders; None where git does not know it."""
    if commit.startswith("-"):
        return None
    there: set[str] = set()
    for folder in {Path(revision.path).parent for revision in tree.revisions.values()}:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), "ls-tree", "-z", "--name-only", commit, "./"],
                capture_output=True,
                text=True,
                timeout=60,
            )
        except OSError:
            return None
        if done.returncode:
            return None
        there |= {str(folder / name) for name in done.stdout.split("\0") if name}
    return frozenset(r.revision for r in tree.revisions.values() if r.path in there)
