"""What must be true after a schedule."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg

from .balancer import Balancer
from .clients import Tally
from .deployment import Deployment
from .releases import CONTRACT, EXPAND

NEWEST = max(EXPAND)
_PATIENCE = 60.0
_OURS = frozenset(revision for ids in (*EXPAND.values(), *CONTRACT.values()) for revision in ids)
_CONTRACTS = frozenset(revision for ids in CONTRACT.values() for revision in ids)
_APPLIED = """
SELECT revision, extract(epoch FROM finished_at)::float8 FROM corehost.step WHERE outcome = 'applied'"""


def await_contract_steps(url: str) -> bool:
    """Wait, while the newest release serves, until its contract steps are applied; whether they were."""
    deadline = time.monotonic() + _PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while not {revision for revision, _ in connection.execute(_APPLIED)} >= _CONTRACTS:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    return True


def problems_of(deployment: Deployment, balancer: Balancer, tally: Tally, url: str) -> Iterator[str]:
    """What went wrong: empty where nothing did."""
    yield from (f"a request failed: {text}" for text in tally.failed[:5])
    yield from (f"a write is lost: {text}" for text in tally.wrong[:5])
    with psycopg.connect(url, autocommit=True) as connection:
        applied = connection.execute(_APPLIED).fetchall()
        open_steps = connection.execute("SELECT branch, revision FROM corehost.step WHERE open").fetchall()
    if open_steps:
        yield f"open steps: {open_steps}"
    for revision, count in sorted(Counter(r for r, _ in applied if r in _OURS).items()):
        if count > 1:
            yield f"{revision} was applied {count} times"
    contracts = {revision: at for revision, at in applied if revision in _CONTRACTS}
    for life in deployment.lives:
        name, release = life.instance.name, life.instance.release
        since, until = balancer.first_ready.get(life.instance), life.told_to_end or time.time()
        for revision, at in sorted(contracts.items()):
            if release < NEWEST and since is not None and since < at < until:
                yield f"{revision} was applied while {name} served release {release}"
        if life.crashed:
            yield f"{name} crashed"
        if life.refused and (release == NEWEST or not any(at < until for at in contracts.values())):
            yield f"{name} was refused although no contract step had been applied"


def counts_of(deployment: Deployment, tally: Tally) -> dict[str, Any]:
    """The figures of a schedule."""
    return {
        "requests": tally.writes + tally.reads + len(tally.failed) + len(tally.wrong),
        "resent": tally.resent,
        "failed": len(tally.failed),
        "wrong": len(tally.wrong),
        "instances": len(deployment.lives),
        "crashed": sum(life.crashed for life in deployment.lives),
        "refused": sum(life.refused for life in deployment.lives),
        "stalled": len(deployment.stalled),
    }
