"""The command line: the only place that prints.

Importing this loads next to nothing; each command is imported when it is called.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

_ALLOCATIONS: Final = 100_000
"""So many objects more than are freed, and a command's garbage is collected: some megabytes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default that of ``sys.argv``; returns the exit code."""
    # What a command loads is no garbage, and would be looked through again and again.
    gc.set_threshold(_ALLOCATIONS)
    from corehost.cli.signals import Interrupted, interruptible

    with interruptible():
        # A script's first folder is that of the script, where `python -m` has the working folder; both are
        # to find the same modules of a host that is not installed.
        if not sys.flags.safe_path and not {"", os.getcwd()} & set(sys.path):
            sys.path.insert(0, os.getcwd())
        try:
            from corehost.cli.application import run
        except Interrupted as interrupted:  # what tells of errors may be half imported
            print(f"corehost: error: stopped by {interrupted.signal.name}", file=sys.stderr)
            return 128 + interrupted.signal
        return run(sys.argv[1:] if arguments is None else arguments)
