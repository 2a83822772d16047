"""Plays one schedule in a database of its own, and judges what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from corehost.embedded import LocalPostgres
from support.packages import OWN_GROUPS
from support.processes import environment

from .balancer import Balancer
from .clients import Clients
from .deployment import Deployment
from .instance import SETTINGS, Instance, Kind
from .oracle import NEWEST, await_contract_steps, counts_of, problems_of
from .schedule import Schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of a schedule."""

    problems: tuple[str, ...]
    """What is wrong; empty where all is well."""
    counts: Mapping[str, Any]
    """Requests, instances, and what became of them."""
    seconds: float
    """How long it took."""


def play(
    schedule: Schedule,
    sites: Mapping[int, Path],
    postgres: LocalPostgres,
    folder: Path,
    *,
    kind: Kind = "corehost",
) -> Verdict:
    """Play a schedule; database and ``folder`` are left where something is wrong."""
    began = time.monotonic()
    name = f"rolling_{kind}_{schedule.seed}_{schedule.number}"
    folder.mkdir(parents=True)
    _administer(postgres, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _administer(postgres, "CREATE DATABASE {}", name)
    url, numbers = postgres.url(name), count()

    def start(release: int) -> Instance:
        label = f"{next(numbers):03}-release-{release}"
        return Instance(label, release, site=sites[release], url=url, folder=folder, kind=kind)

    contracted = True
    with Balancer() as balancer:
        deployment = Deployment(start=start, balancer=balancer, replicas=schedule.replicas)
        try:
            deployment.begin(schedule.first)
            with Clients(balancer, f"{schedule.seed}/{schedule.number}") as clients:
                for roll in schedule.rolls:
                    if roll.job and kind == "corehost":
                        _migrate(url, sites[roll.release])
                    deployment.roll(roll)
                if deployment.current == NEWEST and kind == "corehost":
                    contracted = await_contract_steps(url)
            clients.check_all()
            problems = (
                tuple(problems_of(deployment, balancer, clients.tally, url)) if kind == "corehost" else ()
            )
            if not contracted:
                problems += ("the contract steps were never applied",)
            counts = counts_of(deployment, clients.tally)
        finally:
            deployment.end()
            (folder / "seen.txt").write_text("\n".join(balancer.seen))
    if not problems:
        _administer(postgres, "DROP DATABASE {} WITH (FORCE)", name)
        shutil.rmtree(folder)
    return Verdict(problems=problems, counts=counts, seconds=time.monotonic() - began)


def _migrate(url: str, site: Path) -> None:
    """A Job's ``corehost migrate``, before the roll-out; it may be refused, as that will be."""
    extra = {f"COREHOST_{name.upper()}": value for name, value in SETTINGS.items() if isinstance(value, str)}
    subprocess.run(
        [sys.executable, "-m", "corehost", "migrate", "--quiet"],
        env=environment(database=url, path=[site], extra={**OWN_GROUPS, **extra}),
        cwd=os.fspath(site),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def _administer(postgres: LocalPostgres, statement: str, name: str) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
