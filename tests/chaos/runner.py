"""Rounds of chaos, and what is printed of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corehost.embedded import LocalPostgres
from support.many import Rounds

from .plan import draw_round
from .rounds import Verdict, run_round


def _run(seed: int, number: int, postgres: LocalPostgres, folder: Path, _: Path) -> Verdict:
    return run_round(draw_round(seed, number), postgres, folder)


def _summary(results: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    faults = Counter(fault for result in results for fault in result.get("faults", ()))
    codes = Counter(end["code"] for result in results for end in result.get("ended", ()))
    return (
        "faults: " + (", ".join(f"{number} {name}" for name, number in sorted(faults.items())) or "none"),
        "exit codes: " + ", ".join(f"{number} of {code}" for code, number in sorted(codes.items(), key=str)),
        f"settled by hand: {sum(len(result.get('settled', ())) for result in results)}",
    )


ROUNDS = Rounds(name="chaos", run=_run, summary=_summary)
