"""One round from its start to the verdict."""

from __future__ import annotations

import heapq
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from corehost.embedded import LocalPostgres
from support.packages import OWN_GROUPS
from support.pooler import Pooler
from support.processes import Processes

from .act import Faults, Running
from .drawn import write_site
from .oracle import LOG, Ended, Found, find, problems_of, problems_of_ends
from .plan import Member, Round

_PATIENCE = 120.0
"""Seconds for which the end of all instances is waited for; a bound, never a measure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of a round."""

    problems: tuple[str, ...]
    """What is wrong; empty where all is well."""
    ended: tuple[Ended, ...]
    """How every instance ended."""
    faults: tuple[str, ...]
    """What was done."""
    settled: tuple[str, ...]
    """What was in doubt, and settled."""
    seconds: float
    """How long it took."""


def run_round(plan: Round, postgres: LocalPostgres, folder: Path) -> Verdict:
    """Run a round in a database of its own; database and ``folder`` are left where something is wrong."""
    began = time.monotonic()
    name = f"chaos_{plan.seed}_{plan.number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stage = _Stage(plan, folder, stack)
        url = _create(postgres, name)
        faults = stage.disturb(url)
        ended = stage.finish(url)
        undisturbed = stage.undisturbed(_create(postgres, f"{name}_calm"))
    found = _when_quiet(url)
    problems = (
        *problems_of_ends(plan, ended, stage.settled),
        *problems_of(plan, found, undisturbed),
    )
    _drop(postgres, f"{name}_calm")
    if not problems:
        _drop(postgres, name)
        shutil.rmtree(folder)
    return Verdict(
        problems=problems,
        ended=tuple(ended),
        faults=tuple(faults),
        settled=tuple(stage.settled),
        seconds=time.monotonic() - began,
    )


_Item = tuple[float, int, Callable[[], Callable[[], None] | None], float | None]
"""When, a tie-breaker, what is done, and after how many seconds what that returned is done."""


class _Stage:
    """Where a round is played: its folders of plugins, and what closes with it."""

    def __init__(self, plan: Round, folder: Path, stack: ExitStack):
        self._plan = plan
        self._folder = folder
        self._stack = stack
        self._processes = stack.enter_context(Processes(OWN_GROUPS))
        self._sites: dict[tuple[tuple[str, bool], ...], Path] = {}
        self._ended: list[Ended] = []
        self.settled: list[str] = []
        """What was in doubt, as ``branch@revision``."""

    def disturb(self, url: str) -> Sequence[str]:
        """Start the members, do the faults, wait for who is left; returns what was really done."""
        fleet = {
            place: self._make(f"member {place}", member) for place, member in enumerate(self._plan.members)
        }
        pooler = None
        if any(member.route == "pooler" for member in self._plan.members):
            pooler = self._stack.enter_context(Pooler(url, "session", size=40))
        faults = Faults(url, fleet, pooler)
        tie = count()
        agenda: list[_Item] = []
        for running in fleet.values():
            through = pooler.url if pooler is not None and running.member.route == "pooler" else url
            agenda.append((running.member.starts_at, next(tie), partial(self._start, running, through), None))
        for fault in self._plan.faults:
            agenda.append((fault.at, next(tie), partial(faults.begin, fault), fault.seconds))
        heapq.heapify(agenda)
        began, awaited = time.monotonic(), False
        last_start = max(running.member.starts_at for running in fleet.values())
        try:
            while agenda:
                if agenda[0][0] > last_start and not any(running.running for running in fleet.values()):
                    break  # there is nobody left to meet a fault
                at, _, act, lasts = heapq.heappop(agenda)
                if at >= self._plan.faults[0].at and not awaited:
                    awaited = True
                    now = time.monotonic()
                    faults.await_work()
                    began += time.monotonic() - now
                time.sleep(max(0.0, began + at - time.monotonic()))
                undo = act()
                if undo is not None and lasts is not None:
                    heapq.heappush(agenda, (at + lasts, next(tie), undo, None))
        finally:
            faults.end()
        deadline = time.monotonic() + _PATIENCE
        self._ended += [running.ended(deadline - time.monotonic()) for running in fleet.values()]
        return faults.done

    def finish(self, url: str) -> Sequence[Ended]:
        """Run fresh instances with everything installed to the end; returns how all have ended."""
        whole = Member(plugins=self._plan.whole, starts_at=0, process=False, route="direct")
        for attempt in range(1 + len(self._plan.steps)):
            fresh = [self._make(f"finisher {attempt}.{n}", whole) for n in range(self._plan.finishers)]
            for running in fresh:
                self._start(running, url)
            self._ended += [running.ended(_PATIENCE) for running in fresh]
            if not self._settle(url):
                break
        return self._ended

    def undisturbed(self, url: str) -> Found:
        """What one instance makes of a database of its own."""
        calm = self._make(
            "calm", Member(plugins=self._plan.whole, starts_at=0, process=False, route="direct")
        )
        self._start(calm, url)
        ended = calm.ended(_PATIENCE)
        if ended.code != 0:
            self._ended.append(ended)
        return find(url)

    def _make(self, name: str, member: Member) -> Running:
        older = member.plugins != self._plan.whole
        return Running(name, member, older=older)

    def _start(self, running: Running, url: str) -> None:
        loadout = running.member.plugins
        if loadout not in self._sites:
            self._sites[loadout] = self._folder / f"site{len(self._sites)}"
            write_site(self._sites[loadout], self._plan.plugins, dict(loadout))
        running.start(url, self._sites[loadout], self._processes, self._stack)

    def _settle(self, url: str) -> bool:
        """Settle by hand what is in doubt; whether there was anything."""
        steps = self._plan.steps
        with psycopg.connect(url, autocommit=True) as connection:
            doubtful = connection.execute(
                "SELECT branch, revision FROM corehost.step WHERE open AND partial ORDER BY id"
            ).fetchall()
            doubtful = [
                (branch, revision) for branch, revision in doubtful if steps[revision].kind == "unsafe"
            ]
            for branch, revision in doubtful:
                schema = next(p.schema for p in self._plan.plugins if p.name == branch)
                for statement in _by_hand(schema, branch, revision, applied=self._plan.settle_applied):
                    connection.execute(statement)
        for branch, revision in doubtful:
            outcome = "--applied" if self._plan.settle_applied else "--rolled-back"
            ended = self._processes.run(
                "resolve", branch, revision, outcome, database=url, path=[self._sites[self._plan.whole]]
            )
            if ended.returncode != 0:
                self._ended.append(Ended(name="resolve", code=ended.returncode, error=ended.stderr))
                return False
            self.settled.append(f"{branch}@{revision}")
        return bool(doubtful)


def _by_hand(schema: str, branch: str, revision: str, *, applied: bool) -> Iterator[sql.Composed]:
    """What an operator does with a step that was cut short: complete it, or take it back."""
    table, index = sql.Identifier(schema, f"t_{revision}"), sql.Identifier(f"i_{revision}")
    if not applied:
        yield sql.SQL("DROP TABLE {}").format(table)
        return
    yield sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(schema, f"i_{revision}"))
    yield sql.SQL("CREATE INDEX {} ON {} (id)").format(index, table)
    yield sql.SQL("INSERT INTO public.ran VALUES ({}, {})").format(branch, revision)


def _when_quiet(url: str) -> Found:
    """What the database holds once the sessions of those that were killed have gone."""
    deadline = time.monotonic() + 10
    while (found := find(url)).locks and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _create(postgres: LocalPostgres, name: str) -> str:
    with _server(postgres) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = postgres.url(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOG)
    return url


def _drop(postgres: LocalPostgres, name: str) -> None:
    with _server(postgres) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _server(postgres: LocalPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        yield connection
