"""``corehost run``."""

from __future__ import annotations

import click

from corehost.cli.command import silent
from corehost.cli.invocation import Invocation


@silent("run", allow_interspersed_args=False)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Answer /livez, /readyz and /health on this port throughout, as COMMAND's parent; 0: any free one.",
)
@click.option(
    "--health-address",
    default="",
    metavar="ADDRESS",
    help="Listen on this address only. By default on all, since probes come from outside.",
)
@click.option("--metrics", is_flag=True, help="Answer /metrics there, too: numbers for Prometheus.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True, metavar="-- COMMAND...")
def run(
    run: Invocation, health_port: int | None, health_address: str, metrics: bool, command: tuple[str, ...]
) -> int | None:
    """Bring the database up to date, or what the setting mode says instead, then run COMMAND.

    COMMAND takes corehost's place and keeps its process id. With --health-port corehost stays its parent:
    it passes signals on, reaps orphans, and ends with COMMAND's exit status (128 + n after signal n).

    Exit codes before COMMAND runs are those of 'corehost migrate', and of 'corehost check' with mode =
    "check"; 2 where there is no such command, found out before anything is migrated. With --health-port a
    failure that may pass is tried again, unless on_failure = "exit".
    """
    from corehost.cli import child

    path = child.find_program(command[0])
    if health_port is None:
        _bring_up(run, across_exec=True)
        child.become(path, command)
    from corehost.cli.entrypoint import Entrypoint, listening

    entrypoint = Entrypoint(run.host)
    paths = {"metrics": "/metrics"} if metrics else {}
    with listening(entrypoint, health_port, health_address, quiet=run.quiet, **paths):
        entrypoint.keep_trying(lambda: _bring_up(run))
        code = child.attend(path, command, started=entrypoint.started)
        entrypoint.ended(code)
        run.host.stop()
    return code


def _bring_up(run: Invocation, *, across_exec: bool = False) -> None:
    from corehost.cli.progress import progress
    from corehost.cli.signals import gently

    with progress(quiet=run.quiet) as observer, gently(run.host.interrupt):
        report = run.host.prepare(observer=observer)
        run.host.hold_presence(report, across_exec=across_exec)
