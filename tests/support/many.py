"""Many rounds: which ones, side by side, resumed where a run was ended, and what is printed of them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol

from corehost.embedded import LocalPostgres, find_bindir
from corehost.embedded.account import server_account, temporary_root
from corehost.embedded.binaries import major, version_of

_PREPARED = "prepared"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}


class Verdict(Protocol):
    """What came of a round: a frozen dataclass of plain values."""

    @property
    def problems(self) -> Sequence[str]:
        """What is wrong; empty where all is well."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounds:
    """Rounds of one kind, each drawn from its seed and number alone."""

    name: str
    """The package, and the nox session, that runs them."""
    run: Callable[[int, int, LocalPostgres, Path, Path], Verdict]
    """Runs a round: seed, number, server, a folder of its own, and what ``prepare`` has filled."""
    summary: Callable[[Sequence[Mapping[str, Any]]], Sequence[str]]
    """What is printed of all results."""
    prepare: Callable[[Path], object] = lambda folder: None
    """Fills a folder before the first round."""
    record: Callable[[Sequence[Mapping[str, Any]], str], object] | None = None
    """Writes the figures of all results into the docs; told the server's version."""

    @property
    def command(self) -> str:
        """How a person runs them."""
        return f"nox -s {self.name} --"


def main(rounds: Rounds, arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status, 1 where a round has failed."""
    given = _parsed(rounds, arguments)
    began = time.monotonic()
    kept = given.state is not None
    state = given.state or Path(tempfile.mkdtemp(prefix=f"corehost-{rounds.name}-"))
    state.mkdir(parents=True, exist_ok=True)
    if given.worker is not None:
        _work(rounds, given, state)
        return 0
    if not (state / _PREPARED).exists():
        rounds.prepare(state / _PREPARED)
    if given.jobs > 1:
        common = [*(arguments if arguments is not None else sys.argv[1:]), "--state", str(state)]
        command = [sys.executable, "-m", rounds.name, *common]
        with LocalPostgres(_cluster(state), _bindir(), _FAST, temporary=not kept):
            workers = [
                subprocess.Popen([*command, "--worker", f"{n}/{given.jobs}"]) for n in range(given.jobs)
            ]
            for worker in workers:
                worker.wait()
    else:
        _work(rounds, given, state)
    wanted = set(_wanted(given))
    results = [result for result in _results(state, given.seed) if result["round"] in wanted]
    failed = sorted(result["round"] for result in results if result["problems"])
    _print_summary(rounds, results, failed, time.monotonic() - began, given)
    if rounds.record is not None and given.record:
        rounds.record(results, str(major(version_of(_bindir()))))
    if missing := len(wanted) - len(results):
        print(f"{missing} rounds did not come to an end")
    if failed or missing:
        print(f"what is left of them is under {state}")
        return 1
    if not kept:
        shutil.rmtree(state)
    return 0


def _parsed(rounds: Rounds, arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog=rounds.command, description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="so many, from the first")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what they are drawn from")
    parser.add_argument("--round", type=int, metavar="K", help="only the one with this number, from 0")
    parser.add_argument(
        "--shard", type=_shard, default=(0, 1), metavar="I/N", help="only every Nth, from the Ith"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="so many side by side")
    parser.add_argument(
        "--state", type=_folder, metavar="DIR", help="keep results here, and skip what they have"
    )
    if rounds.record is not None:
        parser.add_argument("--record", action="store_true", help="write the figures into the docs")
    parser.add_argument("--worker", type=_shard, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _folder(text: str) -> Path:
    return Path(text).absolute()


def _shard(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    return int(number), int(of)


def _wanted(given: Any) -> Iterator[int]:
    """The numbers of the rounds that are asked for."""
    if given.round is not None:
        yield given.round
        return
    first, every = given.shard
    worker, workers = given.worker or (0, 1)
    for place, number in enumerate(range(first, given.rounds, every)):
        if place % workers == worker:
            yield number


def _work(rounds: Rounds, given: Any, state: Path) -> None:
    """Run the rounds that are not done yet, one after the other."""
    done = {result["round"] for result in _results(state, given.seed)} if given.round is None else set()
    _start_forkserver(state / "instances.log")
    with LocalPostgres(_cluster(state), _bindir(), _FAST, temporary=given.state is None) as postgres:
        for number in _wanted(given):
            if number in done:
                continue
            result = _judged(rounds, given.seed, number, postgres, state)
            _keep(state, given.seed, number, result)
            if result["problems"]:
                repeat = f"{rounds.command} --seed {given.seed} --round {number}"
                print(f"round {number} failed: {repeat}", *result["problems"], sep="\n    ", flush=True)


def _judged(rounds: Rounds, seed: int, number: int, postgres: LocalPostgres, state: Path) -> dict[str, Any]:
    """Run one round; whatever goes wrong with the round itself is a problem too, and ends no others."""
    folder = state / f"round-{seed}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        verdict: Any = rounds.run(seed, number, postgres, folder, state / _PREPARED)
    except Exception:
        return {"problems": [traceback.format_exc()]}
    return dataclasses.asdict(verdict)


def _start_forkserver(log: Path) -> None:
    """Start what forks the instances, so that their warnings go to a file."""
    sys.stderr.flush()
    ours = os.dup(2)
    with open(log, "a") as file:
        os.dup2(file.fileno(), 2)
        try:
            forkserver.ensure_running()
        finally:
            os.dup2(ours, 2)
            os.close(ours)


def _bindir() -> Path:
    version = os.environ.get("COREHOST_TEST_PG")
    return find_bindir(int(version) if version else None)


def _cluster(state: Path) -> Path:
    """The server's folder: one for each state, where the user that PostgreSQL runs as can reach it."""
    marker = state / "cluster"
    if not marker.exists():
        folder = tempfile.mkdtemp(prefix="corehost-rounds-", dir=temporary_root(server_account()))
        os.chmod(folder, 0o711)
        marker.write_text(folder)
    return Path(marker.read_text())


def _keep(state: Path, seed: int, number: int, result: Mapping[str, Any]) -> None:
    line = json.dumps({"seed": seed, "round": number, **result})
    with open(state / f"results-{seed}.jsonl", "a") as file:
        file.write(f"{line}\n")


def _results(state: Path, seed: int) -> list[dict[str, Any]]:
    """The newest result of every round with that seed."""
    file = state / f"results-{seed}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return list({result["round"]: result for result in map(json.loads, lines)}.values())


def _print_summary(
    rounds: Rounds, results: Sequence[Mapping[str, Any]], failed: Sequence[int], seconds: float, given: Any
) -> None:
    print(f"{len(results)} rounds of seed {given.seed}, {len(failed)} failed, in {seconds:.0f} s")
    for line in rounds.summary(results):
        print(line)
    for number in failed:
        print(f"    {rounds.command} --seed {given.seed} --round {number}")
