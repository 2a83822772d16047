"""Discovery from end to end: what is installed and chosen, or what is wrong with it."""

from __future__ import annotations

import logging
import sys
from typing import Final

from corehost.core.errors import ConfigurationError, DiscoveryError, PluginError
from corehost.core.namespace import CORE
from corehost.core.results import Skipped
from corehost.core.settings import Settings
from corehost.discovery.candidates import Candidate, candidates
from corehost.discovery.entry_points import installed
from corehost.discovery.found import Discovery, FoundPlugin, FoundState
from corehost.discovery.hooks import Hooks
from corehost.discovery.relations import Verdict, judge

_LOG: Final = logging.getLogger("corehost")


def discover(settings: Settings) -> Discovery:
    """What is installed and chosen.

    With ``on_plugin_error = "fail"`` raises DiscoveryError that tells all that is wrong; with ``"skip"``
    leaves out what is wrong, and what requires it, and logs why. A core that is wrong is never left out.
    Raises ConfigurationError where no branch remains and ``allow_empty`` is not set, and where a module
    of ``hooks`` or ``hookspecs`` is wrong.
    """
    discovery = inspect(settings)
    core = [problem for problem in discovery.problems if problem.where.branch == CORE]
    if core or (discovery.problems and settings.on_plugin_error == "fail"):
        raise DiscoveryError(discovery.problems)
    for skipped in discovery.skipped:
        _LOG.warning(
            "plugin %r is left out: %s",
            skipped.plugin,
            skipped.reason,
            extra={"event": "plugin.skipped", "branch": skipped.plugin},
        )
    if not discovery.branches and not settings.allow_empty:
        raise _nothing_found(settings, discovery)
    return discovery


def inspect(settings: Settings) -> Discovery:
    """The same, but what is wrong with plugins or the core is told, never raised."""
    hooks = Hooks(settings.hookspecs)
    found = candidates(settings, installed([*settings.plugin_groups, *settings.migration_groups]), hooks)
    verdict = judge(found)
    by_name = {candidate.name: candidate for candidate in found}
    for name in verdict.order:
        if (plugin := by_name[name].plugin) is not None:
            hooks.manager.register(plugin, name)
    _warn_of_unknown(settings, by_name)
    host_modules = hooks.add_host_modules(settings.hooks)
    rows = [_row(candidate, verdict) for candidate in found]
    return Discovery(
        branches=verdict.branches,
        found=tuple(rows),
        skipped=tuple(
            Skipped(plugin=row.name, origin=row.origin, reason="; ".join(row.problems))
            for row in rows
            if row.state in ("wrong", "skipped")
        ),
        problems=tuple(_unique(verdict)),
        order=verdict.order,
        manager=hooks.manager,
        host_modules=host_modules,
        candidates=tuple(found),
    )


def _row(candidate: Candidate, verdict: Verdict) -> FoundPlugin:
    state: FoundState = "enabled"
    problems: tuple[str, ...] = ()
    if candidate.off is not None:
        state = "disabled"
    elif candidate.name in verdict.problems:
        state, problems = "wrong", tuple(_text(problem) for problem in verdict.problems[candidate.name])
    elif candidate.name in verdict.dropped:
        state, problems = "skipped", (verdict.dropped[candidate.name],)
    return FoundPlugin(
        name=candidate.name,
        kind=candidate.kind,
        origin=candidate.origin,
        spec=candidate.spec,
        state=state,
        problems=problems,
    )


def _text(problem: PluginError) -> str:
    """What is wrong, without who: that stands beside it."""
    text = f"{problem.message} ({problem.where.file})" if problem.where.file else problem.message
    return f"{text}; {problem.hint}" if problem.hint else text


def _unique(verdict: Verdict) -> list[PluginError]:
    everything = (problem for name in sorted(verdict.problems) for problem in verdict.problems[name])
    return list({id(problem): problem for problem in everything}.values())


def _warn_of_unknown(settings: Settings, known: dict[str, Candidate]) -> None:
    for name in sorted(set(settings.disabled) - known.keys()):
        _LOG.warning(
            "the setting `disabled` names %r, which is not installed",
            name,
            extra={"event": "discovery.unknown_disabled"},
        )


def _nothing_found(settings: Settings, discovery: Discovery) -> ConfigurationError:
    groups = ", ".join([*settings.plugin_groups, *settings.migration_groups])
    left_out = ", ".join(row.name for row in discovery.found if row.state != "enabled")
    message = (
        f"there is no branch at all: no core, no mount, no plugin with tables in {sys.prefix} ({groups})"
    )
    return ConfigurationError(
        f"{message}; disabled or left out: {left_out}" if left_out else message,
        hint="install a plugin into this environment, set `core`, or say allow_empty = true",
    )
