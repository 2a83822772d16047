"""The protocols as models: spin looks at every reachable state; and the proof that each rule is needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MEGABYTES = 2000
DEPTH = 1_000_000

pytestmark = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not (shutil.which("spin") and shutil.which("gcc")),
    reason="spin or gcc is not installed",
)

PASS_HOLDS = {
    "any_order": "",
    "crash_and_zombie": "CRASHES=1 ZOMBIES=1 ANY_REFUSAL",
    "ddl_elsewhere": "ZOMBIES=1 ANY_REFUSAL OTHER_CONNECTION",
    "locks_thrown_away": "DISCARDS=1 ANY_REFUSAL",
    "upgrade_by_hand": "STRANGER ANY_REFUSAL",
    "downgrade_beside_it": "DOWNGRADE ANY_REFUSAL",
    # That others' namespaces keep still matters to a downgrade, not to steps that only ever add.
    "only_adding_needs_no_shared_lock": "NO_SHARED ONLY=P_ORDER",
    # Lock check and row check each keep a revision from taking effect twice; only without both it does.
    "row_check_alone": "ZOMBIES=1 ANY_REFUSAL OTHER_CONNECTION NO_LOCK_CHECK ONLY=P_ONCE",
    "lock_check_alone": "ZOMBIES=1 ANY_REFUSAL OTHER_CONNECTION NO_ROW_CHECK ONLY=P_ONCE",
}
PASS_ENDS = {
    "three": "CALM NO_INTENT",
    "three_and_a_crash": "CALM NO_INTENT CRASHES=1",
    "three_and_a_zombie": "CALM NO_INTENT ZOMBIES=1",
    "announced": "CALM INSTANCES=2 CRASHES=1 ZOMBIES=1",
    "beside_comers": "PROGRESS INSTANCES=1 COMERS=2",
    "beside_comers_and_a_crash": "CALM INSTANCES=2 COMERS=2 CRASHES=1",
}
PASS_BREAKS = {
    "no_second_read": "NO_REREAD ONLY=P_ONCE",
    "no_check_at_commit": "ZOMBIES=1 OTHER_CONNECTION NO_LOCK_CHECK NO_ROW_CHECK ONLY=P_ONCE",
    "commit_without_lock": "ZOMBIES=1 OTHER_CONNECTION NO_LOCK_CHECK ONLY=P_LOCKED",
    "no_check_at_an_early_commit": "DISCARDS=1 NO_EARLY_LOCK_CHECK ONLY=P_ONCE",
    "no_row_check": "STRANGER NO_ROW_CHECK ONLY=P_ONCE",
    "no_shared_locks": "NO_SHARED ONLY=P_ALONE",
    "no_shared_locks_and_a_downgrade": "NO_SHARED DOWNGRADE ONLY=P_ORDER",
}
PASS_HANGS = {
    "no_jitter": "PROGRESS",
    "no_announcement": "PROGRESS INSTANCES=1 COMERS=2 NO_INTENT",
    "announcement_kept": "CALM INSTANCES=2 COMERS=2 CRASHES=1 KEEP_INTENT",
    "dead_session_kept": "CALM INSTANCES=2 CRASHES=1 NO_SESSION_END",
}
PRESENCE_HANGS = {"tell_without_a_look": "PROGRESS TELL_BLINDLY"}
PRESENCE_BREAKS = {
    "no_tell": "NO_TELL",
    "tell_after_the_list": "TELL_LATE",
    "no_list": "NO_LIST",
    "list_after_the_grace": "LIST_LATE",
    "no_grace": "NO_GRACE",
    "no_regard": "NO_REGARD",
    "no_second_look": "NO_SECOND_LOOK",
    "judge_before_the_regard": "JUDGE_FIRST",
    "announce_after_both": "ANNOUNCE_LATE",
    "ready_without_presence": "STAY_READY",
}


class Verdict:
    """What one exhaustive run has printed."""

    def __init__(self, text: str):
        self.text = text
        found = re.search(r"errors: (\d+)", text)
        assert found, text
        self.errors = int(found[1])
        self.states = "".join(re.findall(r"(\d+) states, stored", text))
        self.version = "".join(re.findall(r"Spin Version [\d.]+", text)[:1])

    def assert_holds(self) -> None:
        """No error, and nothing was left out."""
        assert self.errors == 0, self.text
        assert "Full statespace search for:" in self.text, self.text
        for shortened in ("max search depth too small", "Search not completed", "out of memory"):
            assert shortened not in self.text, self.text


def check(where: Path, model: str, flags: str, *, progress: bool = False) -> Verdict:
    """Look at every state of a model; ``progress`` for the LTL property, under weak fairness."""
    defines = [f"-D{flag}" for flag in flags.split()]
    run(where, "spin", "-a", *defines, str(HERE / model))
    kind = ["-DNFAIR=3"] if progress else ["-DSAFETY"]
    # Most searches end sooner than an optimiser would.
    optimise = "-O1" if progress and "INSTANCES" not in flags else "-O0"
    run(where, "gcc", optimise, "-w", f"-DMEMLIM={MEGABYTES}", *kind, "-o", "pan", "pan.c")
    verdict = Verdict(run(where, "./pan", f"-m{DEPTH}", *(["-a", "-f"] if progress else [])))
    print(f"{model} {flags or '-'}: {verdict.states} states, errors: {verdict.errors}, {verdict.version}")
    return verdict


def run(where: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def cases(table: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("flags", table.values(), ids=table.keys())


@cases(PASS_HOLDS)
def test_a_pass_is_safe(tmp_path: Path, flags: str) -> None:
    """No revision twice, none lost, needs first, never without the lock, and nobody is ever stuck."""
    check(tmp_path, "corehost.pml", flags).assert_holds()


@cases(PASS_ENDS)
def test_a_pass_ends(tmp_path: Path, flags: str) -> None:
    """Whoever survives gets to the end, whatever the order, where every process gets its turn."""
    check(tmp_path, "corehost.pml", flags, progress=True).assert_holds()


@cases(PASS_BREAKS)
def test_a_rule_of_the_pass_is_needed(tmp_path: Path, flags: str) -> None:
    """With the rule taken out the one property that it keeps is violated."""
    verdict = check(tmp_path, "corehost.pml", flags)
    assert verdict.errors
    assert "assertion violated" in verdict.text


def test_blocking_hold_and_wait_deadlocks(tmp_path: Path) -> None:
    """Instances that wait for one lock while they hold another wait for each other in the end."""
    verdict = check(tmp_path, "corehost.pml", "BLOCKING ONLY=P_NONE")
    assert verdict.errors
    assert "invalid end state" in verdict.text


@cases(PASS_HANGS)
def test_a_rule_for_progress_is_needed(tmp_path: Path, flags: str) -> None:
    """With the rule taken out a pass may go on for ever."""
    verdict = check(tmp_path, "corehost.pml", flags, progress=True)
    assert verdict.errors
    assert "acceptance cycle" in verdict.text


@pytest.mark.parametrize("flags", ["", "NEW=2 CUTS=2", "CUTS=0 NO_GRACE", "NO_SECOND_LIST"])
def test_no_old_instance_serves_a_contracted_database(tmp_path: Path, flags: str) -> None:
    """No instance whose code lacks what a contract step needs is ready when that is committed, or later."""
    check(tmp_path, "presence.pml", flags).assert_holds()


@pytest.mark.parametrize("flags", ["PROGRESS", "PROGRESS NEW=2"])
def test_a_contract_step_comes_in_the_end(tmp_path: Path, flags: str) -> None:
    """Once the old instances have left the contract step is applied."""
    check(tmp_path, "presence.pml", flags, progress=True).assert_holds()


@cases(PRESENCE_HANGS)
def test_a_rule_for_the_progress_of_old_and_new_is_needed(tmp_path: Path, flags: str) -> None:
    """With the rule taken out an old instance never becomes ready, nor a contract step is ever applied."""
    verdict = check(tmp_path, "presence.pml", flags, progress=True)
    assert verdict.errors
    assert "acceptance cycle" in verdict.text


@cases(PRESENCE_BREAKS)
def test_a_rule_of_presence_is_needed(tmp_path: Path, flags: str) -> None:
    """With the rule taken out an old instance serves the contracted database."""
    verdict = check(tmp_path, "presence.pml", flags)
    assert verdict.errors
    assert "assertion violated" in verdict.text
