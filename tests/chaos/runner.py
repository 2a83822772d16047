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
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from corehost.embedded import LocalPostgres, find_bindir
from corehost.embedded.account import server_account, temporary_root

from .plan import draw_round
from .rounds import Verdict, run_round

_COMMAND = "nox -s chaos --"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status, 1 where a round has failed."""
    given = _parsed(arguments)
    began = time.monotonic()
    kept = given.state is not None
    state = given.state or Path(tempfile.mkdtemp(prefix="corehost-chaos-"))
    state.mkdir(parents=True, exist_ok=True)
    if given.worker is not None:
        _work(given, state)
        return 0
    if given.jobs > 1:
        common = [*(arguments if arguments is not None else sys.argv[1:]), "--state", str(state)]
        command = [sys.executable, "-m", "chaos", *common]
        with LocalPostgres(_cluster(state), _bindir(), _FAST, temporary=not kept):
            workers = [
                subprocess.Popen([*command, "--worker", f"{n}/{given.jobs}"]) for n in range(given.jobs)
            ]
            for worker in workers:
                worker.wait()
    else:
        _work(given, state)
    wanted = set(_wanted(given))
    results = [result for result in _results(state, given.seed) if result["round"] in wanted]
    failed = sorted(result["round"] for result in results if result["problems"])
    _print_summary(results, failed, time.monotonic() - began, given)
    if missing := len(wanted) - len(results):
        print(f"{missing} rounds did not come to an end")
    if failed or missing:
        print(f"what is left of them is under {state}")
        return 1
    if not kept:
        shutil.rmtree(state)
    return 0


def _parsed(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="so many, from the first")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="what they are drawn from")
    parser.add_argument("--round", type=int, metavar="K", help="only the one with this number, from 0")
    parser.add_argument(
        "--shard", type=_shard, default=(0, 1), metavar="I/N", help="only every Nth, from the Ith"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="so many side by side")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep results here, and skip what they have"
    )
    parser.add_argument("--worker", type=_shard, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


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


def _work(given: Any, state: Path) -> None:
    """Run the rounds that are not done yet, one after the other."""
    done = {result["round"] for result in _results(state, given.seed)} if given.round is None else set()
    _start_forkserver(state / "instances.log")
    with LocalPostgres(_cluster(state), _bindir(), _FAST, temporary=given.state is None) as postgres:
        for number in _wanted(given):
            if number in done:
                continue
            verdict = _judged(given.seed, number, postgres, state / f"round-{given.seed}-{number}")
            _keep(state, given.seed, number, verdict)
            if verdict.problems:
                repeat = f"{_COMMAND} --seed {given.seed} --round {number}"
                print(f"round {number} failed: {repeat}", *verdict.problems, sep="\n    ", flush=True)


def _judged(seed: int, number: int, postgres: LocalPostgres, folder: Path) -> Verdict:
    """Run one round; whatever goes wrong with the round itself is a problem too, and ends no others."""
    began = time.monotonic()
    try:
        return run_round(draw_round(seed, number), postgres, folder)
    except Exception:
        return Verdict(
            problems=(traceback.format_exc(),),
            ended=(),
            faults=(),
            settled=(),
            seconds=time.monotonic() - began,
        )


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
        folder = tempfile.mkdtemp(prefix="corehost-chaos-", dir=temporary_root(server_account()))
        os.chmod(folder, 0o711)
        marker.write_text(folder)
    return Path(marker.read_text())


def _keep(state: Path, seed: int, number: int, verdict: Verdict) -> None:
    line = json.dumps({"seed": seed, "round": number, **dataclasses.asdict(verdict)})
    with open(state / f"results-{seed}.jsonl", "a") as file:
        file.write(f"{line}\n")


def _results(state: Path, seed: int) -> list[dict[str, Any]]:
    """The newest result of every round with that seed."""
    file = state / f"results-{seed}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return list({result["round"]: result for result in map(json.loads, lines)}.values())


def _print_summary(
    results: Sequence[dict[str, Any]], failed: Sequence[int], seconds: float, given: Any
) -> None:
    faults = Counter(fault for result in results for fault in result["faults"])
    codes = Counter(end["code"] for result in results for end in result["ended"])
    print(f"{len(results)} rounds of seed {given.seed}, {len(failed)} failed, in {seconds:.0f} s")
    print("faults:", ", ".join(f"{number} {name}" for name, number in sorted(faults.items())) or "none")
    print("exit codes:", ", ".join(f"{number} of {code}" for code, number in sorted(codes.items(), key=str)))
    print("settled by hand:", sum(len(result["settled"]) for result in results))
    for number in failed:
        print(f"    {_COMMAND} --seed {given.seed} --round {number}")
