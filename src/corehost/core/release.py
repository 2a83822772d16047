"""A release: the code of one instance, told apart by the heads of all its branches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from corehost.core.branch import Origin
from corehost.core.graph import Graph
from corehost.core.namespace import Namespace

_DIGEST_BYTES: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedBranch:
    """One branch of a release."""

    branch: str
    """Its name."""
    namespace: Namespace
    heads: tuple[str, ...]
    """The heads that the code has of it, sorted."""
    origin: Origin
    """The distribution that ships it, and its version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """The code of an instance: the same for all that have the same revisions of the same branches."""

    digest: str
    """Twelve hexadecimal digits."""
    branches: tuple[ReleasedBranch, ...]
    """Every branch but the ledger's, by namespace."""


def release_of(graph: Graph) -> Release:
    """The release that a graph belongs to.

    The ledger's own branch only ever grows, and does not count. A digest of 48 bits: a thousand releases
    of one database collide with a probability of 2e-9.
    """
    branches = tuple(
        ReleasedBranch(
            branch=tree.branch.name,
            namespace=tree.branch.namespace,
            heads=tree.heads,
            origin=tree.branch.origin,
        )
        for tree in sorted(graph.trees.values(), key=lambda tree: tree.branch.namespace)
        if not tree.branch.is_ledger
    )
    digest = hashlib.sha256(b"corehost\x00release")
    for branch in branches:
        names = (branch.namespace.schema, branch.namespace.version_table, *branch.heads)
        digest.update(b"\x00\x00" + "\x00".join(names).encode())
    return Release(digest=digest.hexdigest()[: 2 * _DIGEST_BYTES], branches=branches)
