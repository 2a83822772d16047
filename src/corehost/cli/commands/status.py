"""``corehost status``."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from corehost.cli import output
from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation

if TYPE_CHECKING:
    from corehost.core.instances import Instance
    from corehost.core.present import Present
    from corehost.core.results import BranchStatus, LockHolder
    from corehost.readiness import Look

_REFRESH: Final = 1.0  # seconds
_COLUMNS: Final = ("branch", "schema", "from", "state", "applied", "pending", "lock")
_FEW: Final = 8  # branches whose versions fit on a line
_CLEAR: Final = "\x1b[H\x1b[2J"


@reporting("status", {"ready": False, "config_file": None, "branches": [], "instances": [], "skipped": []})
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
def status(run: Invocation, watch: bool) -> None:
    """Show every branch: state, applied and pending revisions, who holds its lock.

    Exit code 0 whenever it could report.
    """
    if watch:
        return _watch(run)
    from corehost.core.instances import migrating

    seen = _look(run)
    running = migrating(seen.instances)
    run.document |= {
        "ready": seen.ready,
        "branches": [_as_dict(found, running.get(found.branch)) for found in seen.branches],
        "instances": [one.as_dict() for one in seen.present] + [one.as_dict() for one in seen.instances],
    }
    if not run.as_json:
        run.report(_text(run, seen))
    return None


def _look(run: Invocation) -> Look:
    from corehost.postgres.presence import read_present
    from corehost.readiness import look_around

    graph = run.installation.graph
    with run.connection() as connection:
        seen = look_around(connection, graph, policy=run.installation.policy)
        return replace(seen, present=read_present(connection))


def _watch(run: Invocation) -> None:
    """Look again and again; where there is no terminal, write only what has changed."""
    from corehost.core.errors import DatabaseUnavailable

    if run.as_json:
        raise click.UsageError("--watch and --json exclude each other")
    terminal = sys.stdout is not None and sys.stdout.isatty()
    last = ""
    while True:
        try:
            text = _text(run, _look(run))
        except DatabaseUnavailable as error:  # it may come back: that is what is being watched
            text = f"{error}\n"
        if text != last and not output.write((_CLEAR if terminal else "\n" if last else "") + text):
            return
        last = text
        time.sleep(_REFRESH)


def _as_dict(found: BranchStatus, running: Instance | None) -> dict[str, object]:
    return {
        "branch": found.branch,
        "schema": found.schema,
        "distribution": found.origin.distribution,
        "version": found.origin.version,
        "state": found.state,
        "applied": list(found.applied),
        "heads": list(found.heads),
        "pending": list(found.pending),
        "deferred": list(found.deferred),
        "lock": None if found.lock is None else _lock(found.lock),
        "left_out": found.left_out,
        "progress": None if running is None else running.progress(),
    }


def _lock(holder: LockHolder) -> dict[str, object]:
    return {
        "pid": holder.pid,
        "application_name": holder.application_name,
        "since": output.timestamp(holder.since),
    }


def _text(run: Invocation, seen: Look) -> str:
    text = output.table(_COLUMNS, [_row(found) for found in seen.branches])
    notes = [f"{found.branch}: {found.reason}" for found in seen.branches if found.reason]
    notes += [f"{found.branch}: {name} {why}" for found in seen.branches for name, why in found.held.items()]
    notes += [f"{found.branch}: the host goes on without it" for found in seen.branches if found.left_out]
    notes += [f"present: {instance}, {_versions(instance)}" for instance in seen.present]
    notes += [f"{instance.state}: {instance}" for instance in seen.instances]
    notes += [f"left out: {left.plugin}: {left.reason}" for left in run.installation.skipped]
    notes.append("ready" if seen.ready else "not ready")
    if run.settings.config_file:
        notes.append(f"settings from {run.settings.config_file}")
    return text + "\n" + "".join(f"{note}\n" for note in notes)


def _versions(instance: Present) -> str:
    """What it has of the branches, where these are few."""
    if not instance.recorded:
        return "whose code nobody knows"
    if len(instance.branches) > _FEW:
        return f"release {instance.digest} of {len(instance.branches)} branches"
    return ", ".join(f"{name} {one.origin.version}" for name, one in sorted(instance.branches.items()))


def _row(found: BranchStatus) -> tuple[str, ...]:
    origin, lock = found.origin, found.lock
    held = ""
    if lock is not None:
        since = output.timestamp(lock.since)
        held = (
            f"pid {lock.pid} ({lock.application_name})" if since is None else f"pid {lock.pid} since {since}"
        )
    return (
        found.branch,
        found.schema,
        " ".join(part for part in (origin.distribution, origin.version) if part),
        found.state,
        " ".join(found.applied),
        str(len(found.pending) or ""),
        held,
    )
