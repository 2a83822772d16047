"""``corehost plugins``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corehost.cli import output
from corehost.cli.command import reporting
from corehost.cli.invocation import Invocation
from corehost.cli.problems import tell

if TYPE_CHECKING:
    from corehost.core.errors import CorehostError
    from corehost.discovery import Discovery, FoundPlugin

_COLUMNS: Final = ("name", "kind", "from", "schema", "state")

Complaints = dict[str, tuple[str, ...]]
"""Name -> what is wrong with its revisions, which discovery does not read."""


@reporting("plugins", {"plugins": [], "config_file": None})
def plugins(run: Invocation) -> int:
    """Show what was found, from which distribution, and what is wrong with it.

    Exit code 0; 2 where a host would refuse to start with what was found.
    """
    from corehost.discovery import inspect

    discovery = inspect(run.settings)
    refusal, complaints = _weigh(run)
    run.document["plugins"] = [_as_dict(found, discovery, complaints) for found in discovery.found]
    if not run.as_json:
        run.report(_text(discovery, complaints))
    if refusal is None:
        return 0
    run.document["error"] = refusal.as_dict()
    tell(refusal)
    return refusal.exit_code


def _weigh(run: Invocation) -> tuple[CorehostError | None, Complaints]:
    """Why a host would refuse to start, and what is wrong with single branches' revisions."""
    from corehost.core.errors import CorehostError, DiscoveryError

    try:
        installation = run.installation
    except CorehostError as error:
        problems = error.problems if isinstance(error, DiscoveryError) else (error,)
        named: Complaints = {}
        for problem in problems:
            if (name := problem.where.branch) is not None:
                named[name] = (*named.get(name, ()), problem.message)
        return error, named
    return None, {skipped.plugin: (skipped.reason,) for skipped in installation.skipped}


def _state(found: FoundPlugin, complaints: Complaints) -> tuple[str, tuple[str, ...]]:
    if found.state == "enabled" and found.name in complaints:
        return "wrong", complaints[found.name]
    return found.state, found.problems


def _schema(found: FoundPlugin, discovery: Discovery) -> str | None:
    branch = next((branch for branch in discovery.branches if branch.name == found.name), None)
    if branch is not None:
        return branch.namespace.schema
    return found.spec.schema if found.spec is not None and found.spec.migrations is not None else None


def _as_dict(found: FoundPlugin, discovery: Discovery, complaints: Complaints) -> dict[str, object]:
    state, problems = _state(found, complaints)
    return {
        "name": found.name,
        "kind": found.kind,
        "distribution": found.origin.distribution,
        "version": found.origin.version,
        "entry_point": found.origin.entry_point,
        "schema": _schema(found, discovery),
        "requires": list(found.spec.requires) if found.spec else [],
        "after": list(found.spec.after) if found.spec else [],
        "state": state,
        "problems": list(problems),
    }


def _text(discovery: Discovery, complaints: Complaints) -> str:
    if not discovery.found:
        return "nothing was found\n"
    rows, notes = [], []
    for found in discovery.found:
        state, problems = _state(found, complaints)
        origin = " ".join(part for part in (found.origin.distribution, found.origin.version) if part)
        rows.append((found.name, found.kind, origin, _schema(found, discovery) or "", state))
        notes += [f"{found.name}: {problem}\n" for problem in problems]
    return output.table(_COLUMNS, rows) + ("\n" if notes else "") + "".join(notes)
