"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import signal
import sys

import pytest

from support.processes import Processes, is_running, wait_until

_PARENT = """
import signal, sys, time
from corehost.embedded.supervisor import spawn_tied
child, watcher = spawn_tied(
    ["sleep", "600"], death_signal=signal.SIGQUIT, use_prctl=sys.argv[1] == "prctl"
)
print(child.pid, watcher.pid if watcher else "", "started", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("way", ["prctl", "watcher"] if sys.platform == "linux" else ["watcher"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_tied_process_goes_with_its_parent(processes: Processes, way: str, number: signal.Signals) -> None:
    """Whatever the parent dies of, its child gets its signal; so does it where Linux does not help."""
    parent = processes.python(_PARENT, way)
    parent.wait_for_output("started")
    pids = [int(word) for word in parent.stdout.split() if word.isdecimal()]
    assert all(is_running(pid) for pid in pids)
    parent.send(number)
    parent.wait()
    wait_until(lambda: not any(is_running(pid) for pid in pids))
