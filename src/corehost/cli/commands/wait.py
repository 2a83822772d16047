"""``corehost wait``."""

from __future__ import annotations

import time
from datetime import timedelta

import click

from corehost.cli.command import reporting
from corehost.cli.durations import duration
from corehost.cli.invocation import Invocation


@reporting("wait", {"ready": False, "waited_ms": 0.0})
@click.option(
    "--timeout", callback=duration, default="10min", show_default=True, help="How long, such as 30s or 2h."
)
def wait(run: Invocation, timeout: timedelta) -> None:
    """Wait, without any lock, until the database is ready.

    Exit code 0: it is ready for this code; 4: not within the timeout; 5, at once: waiting cannot help; 6:
    it could not be reached within the timeout.
    """
    from corehost.cli.progress import Lines, Quiet
    from corehost.readiness import wait_until_ready

    graph = run.installation.graph
    observer = Quiet() if run.quiet else Lines()
    began = time.monotonic()
    try:
        wait_until_ready(
            run.connector,
            graph,
            timeout=timeout,
            waiting=observer.waiting,
            looked=lambda _, seen: observer.held_by(seen.holder),
            policy=run.installation.policy,
        )
    finally:
        run.document["waited_ms"] = round((time.monotonic() - began) * 1000, 3)
    run.document["ready"] = True
    run.remark("ready")
