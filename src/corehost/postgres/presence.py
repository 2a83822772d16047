"""Presences: a shared advisory lock for as long as an instance serves, and who holds one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import psycopg

from corehost.core.branch import Origin
from corehost.core.deferral import Past, Situation
from corehost.core.errors import PresenceImpossible
from corehost.core.graph import Graph
from corehost.core.lineage import Lineage
from corehost.core.namespace import Namespace, presence_digest, presence_key
from corehost.core.present import Present
from corehost.core.release import Release, ReleasedBranch
from corehost.core.revision import Node
from corehost.core.state import DatabaseState
from corehost.postgres import release_sql as sql
from corehost.postgres.connect import Connection, application_name, execute
from corehost.postgres.releases import is_recorded, place_of, read_lineage, record_release
from corehost.postgres.session import configure

_NAMED: Final = re.compile(r"^corehost (.*):(\d+)(?: release [0-9a-f]+)?$")
_SESSION: Final[Mapping[str, str]] = {
    # It does nothing for days, and must not be cut off for it.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
    # The server forgets a client that has vanished after five seconds, the client knows after three.
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}

_KEEPALIVES: Final = (
    ("TCP_KEEPIDLE", 1),
    ("TCP_KEEPALIVE", 1),
    ("TCP_KEEPINTVL", 1),
    ("TCP_KEEPCNT", 2),
    ("TCP_USER_TIMEOUT", 3000),
)


def take_presence(connection: Connection, release: Release) -> None:
    """Hold a release's presence on a session, until that ends. Raises PresenceImpossible on a standby."""
    ((standby,),) = execute(connection, sql.IS_STANDBY)
    if standby:
        raise PresenceImpossible("a hot standby shows its locks to nobody")
    configure(connection, _SESSION)
    first, second = presence_key(release.digest)
    name = f"{application_name()} release {release.digest}"
    execute(connection, sql.TAKE_PRESENCE.format(first=first, second=second), (name,))


def is_there(connection: Connection) -> bool:
    """Whether the session still is."""
    try:
        execute(connection, sql.IS_THERE)
    except psycopg.Error:
        return False
    return True


def watch_closely(connection: Connection) -> None:
    """Let this side notice a cut network after three seconds: before the server does, which takes five."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        if end.family in (socket.AF_INET, socket.AF_INET6):
            for name, value in _KEEPALIVES:
                if (option := getattr(socket, name, None)) is not None:
                    end.setsockopt(socket.IPPROTO_TCP, option, value)


def note_seen(connection: Connection, digests: Collection[str]) -> None:
    """Write down that instances of these releases are here now, where that is possible."""
    with suppress(psycopg.Error):  # a role that may only read
        execute(connection, sql.SEEN, (sorted(digests),))


def note_waiting(connection: Connection, graph: Graph, release: Release, older: Collection[str]) -> None:
    """Write down that code waits with a contract step, and which older releases were here, if possible."""
    with suppress(psycopg.Error):  # a role that may only read
        if not is_recorded(connection, release):
            record_release(connection, graph, release, lambda _: None)
    if older:
        note_seen(connection, older)


def note_started(connection: Connection, graph: Graph, release: Release, *, seen: bool) -> None:
    """Write down that an instance of a release serves, where that is possible; ``seen``: with a presence."""
    with suppress(psycopg.Error):
        if not is_recorded(connection, release):
            record_release(connection, graph, release, lambda _: None)
        if seen:
            execute(connection, sql.SEEN, ([release.digest],))
        else:
            execute(connection, sql.UNSEEN, (release.digest,))


def present_digests(connection: Connection) -> frozenset[str]:
    """The digests of the code that is present, known or not; one statement."""
    return frozenset(presence_digest(first, second) for first, second, *_ in execute(connection, sql.PRESENT))


def read_present(connection: Connection) -> tuple[Present, ...]:
    """Every instance that is present, with what the ledger knows of its code; sorted by session."""
    found = [
        (presence_digest(first, second), pid, name, since)
        for first, second, pid, name, since in execute(connection, sql.PRESENT)
    ]
    digests = sorted({digest for digest, *_ in found})
    recorded: set[str] = set()
    branches: dict[str, dict[str, ReleasedBranch]] = {digest: {} for digest in digests}
    if digests:
        with suppress(psycopg.ProgrammingError):  # an older ledger, or a role that may not read it
            recorded = {digest for (digest,) in execute(connection, sql.RECORDED, (digests,))}
            for digest, branch, schema, table, *rest in execute(connection, sql.RELEASED, (digests,)):
                namespace = Namespace(schema=schema, version_table=table)
                branches[digest][branch] = _released(branch, namespace, *rest)
    return tuple(
        Present(
            digest=digest,
            **_who(name),
            backend_pid=pid,
            since=since,
            recorded=digest in recorded,
            branches=branches[digest],
        )
        for digest, pid, name, since in found
    )


def read_situation(
    connection: Connection, graph: Graph, state: DatabaseState, contracts: Collection[Node]
) -> Situation:
    """What decides about these contract steps, who is present read first; a few round trips a branch."""
    present = read_present(connection)
    past: dict[str, tuple[Past, ...]] = {}
    ages: dict[Node, float] = {}
    strangers: set[str] = set()
    lineages: dict[str, Lineage] = {}
    for name in sorted({node.branch for node in contracts}):
        tree = graph.trees[name]
        place = place_of(tree.branch.namespace)
        past[name] = tuple(
            Past(
                digest=digest,
                released=_released(branch, tree.branch.namespace, *rest[:3]),
                age=rest[3],
                unseen=rest[4],
            )
            for digest, branch, *rest in execute(connection, sql.PAST, place)
        )
        ages |= {Node(name, revision): age for revision, age in execute(connection, sql.AGES, place)}
        ((by_strangers,),) = execute(connection, sql.BY_STRANGERS, place)
        if by_strangers:
            strangers.add(name)
        heads = {head for one in past[name] for head in one.released.heads}
        if not heads <= tree.revisions.keys():
            lineages[name] = read_lineage(connection, tree.branch, state)
    return Situation(
        present=_by_namespace(graph, present, past.keys()),
        past=past,
        ages=ages,
        strangers=frozenset(strangers),
        lineages=lineages,
    )


def _by_namespace(graph: Graph, present: Collection[Present], names: Collection[str]) -> tuple[Present, ...]:
    """The same, their branches by the names that this host has for them."""
    mine = {graph.trees[name].branch.namespace: name for name in names}
    return tuple(
        replace(
            one,
            branches={mine[b.namespace]: b for b in one.branches.values() if b.namespace in mine},
        )
        for one in present
    )


def _released(
    branch: str, namespace: Namespace, heads: Collection[str], distribution: str | None, version: str | None
) -> ReleasedBranch:
    return ReleasedBranch(
        branch=branch,
        namespace=namespace,
        heads=tuple(heads),
        origin=Origin(distribution=distribution, version=version),
    )


def _who(name: str) -> dict[str, Any]:
    """Host and process of a session by its application_name."""
    match = _NAMED.match(name)
    return {"host": match[1], "pid": int(match[2])} if match else {"host": name, "pid": 0}
