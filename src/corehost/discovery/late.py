"""One plugin more, which a host adds while it runs: the same rules as for those that were found."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from corehost.core.branch import Origin
from corehost.core.errors import DiscoveryError, PluginError, Where
from corehost.core.settings import Settings
from corehost.discovery.candidates import Candidate, given, off_reason
from corehost.discovery.distributions import owner_of
from corehost.discovery.entry_points import Installed, installed
from corehost.discovery.found import Discovery, FoundPlugin
from corehost.discovery.guard import guarded, import_object
from corehost.discovery.hooks import Hooks
from corehost.discovery.relations import judge


@dataclass(frozen=True, kw_only=True, slots=True)
class LatePlugin:
    """A plugin that fits to those that are there."""

    name: str
    """Its name."""
    plugin: object
    """Its module or object, for pluggy."""
    discovery: Discovery
    """What was found and is of use, this plugin included; its ``manager`` is that of a trial, a copy."""


@contextmanager
def examined(
    settings: Settings,
    discovery: Discovery,
    plugin: object,
    *,
    order: Collection[str],
    without: Collection[str],
) -> Iterator[LatePlugin]:
    """A plugin that is to be added to those of ``order``: a module, another object, or what names one.

    ``without`` are those of them that the host goes on without. Nothing of what is there is changed. A
    module that cannot be imported by its name is made so, unless the block fails. Raises PluginError, or
    DiscoveryError where there are several, naming the plugin.
    """
    label = plugin if isinstance(plugin, str) else getattr(plugin, "__name__", type(plugin).__name__)
    origin = Origin(entry_point=f"add_plugin({label})")
    if isinstance(plugin, str):
        name = plugin
        try:
            plugin = guarded(lambda: import_object(name), "it does not import")
        except PluginError as error:
            error.where = origin.where(file=error.where.file)
            raise
    with _importable(plugin):
        there = [_as_it_is(candidate, order, without) for candidate in discovery.candidates]
        yield _examined(settings, discovery, [one for one in there if one is not None], plugin, origin)


def _as_it_is(candidate: Candidate, order: Collection[str], without: Collection[str]) -> Candidate | None:
    """A candidate as this host has it; None where it was left out when the host was made."""
    if candidate.name in without:
        return replace(candidate, off="its migrations cannot be done, and the host goes on without it")
    return candidate if candidate.name in order or candidate.off is not None else None


def _examined(
    settings: Settings, discovery: Discovery, there: Sequence[Candidate], plugin: object, origin: Origin
) -> LatePlugin:
    hooks = Hooks(settings.hookspecs)
    spec, problems = hooks.examine("a plugin that is to be added", plugin)
    name = spec.name if spec is not None else None
    if spec is None or name is None:
        raise _refusal(problems, origin.where())
    where = origin.where(branch=name)
    if (known := discovery.manager.get_name(plugin)) is not None:
        raise PluginError(f"it is the plugin {known!r} of this host already", where=where)
    if off := off_reason(name, settings):
        raise PluginError(f"it is disabled: {off}", where=where)
    if any(one.name == name for one in there):
        raise PluginError(f"this host has a plugin {name!r} already", where=where)
    everything = installed(())
    candidate = given(spec, plugin, origin=origin, problems=problems, settings=settings, installed=everything)
    if candidate.branch is None:
        candidate = replace(candidate, origin=_origin_of(plugin, origin, everything))
    verdict = judge([*there, candidate])
    if wrong := [problem for found in verdict.problems.values() for problem in found]:
        raise _refusal(list(dict.fromkeys(wrong)), where)
    hooks.manager.register(plugin, name)
    for other, registered in discovery.manager.list_name_plugin():
        if registered is not None:
            hooks.manager.register(registered, other)
    row = FoundPlugin(name=name, kind="plugin", origin=candidate.origin, spec=candidate.spec, state="enabled")
    rows = [found for found in discovery.found if found.name != name]
    extended = replace(
        discovery,
        branches=verdict.branches,
        found=tuple(sorted([*rows, row], key=lambda found: found.name)),
        skipped=tuple(skipped for skipped in discovery.skipped if skipped.plugin != name),
        order=verdict.order,
        manager=hooks.manager,
        candidates=(*(c for c in discovery.candidates if c.name != name), candidate),
    )
    return LatePlugin(name=name, plugin=plugin, discovery=extended)


def settled(late: LatePlugin, manager: pluggy.PluginManager) -> Discovery:
    """What is found when the plugin has come through: it is registered with the host's own manager."""
    manager.register(late.plugin, late.name)
    return replace(late.discovery, manager=manager)


def _refusal(problems: list[PluginError], where: Where) -> PluginError | DiscoveryError:
    for problem in problems:
        if problem.where.branch is None:
            problem.where = replace(where, file=problem.where.file)
    return problems[0] if len(problems) == 1 else DiscoveryError(problems)


def _origin_of(plugin: object, origin: Origin, everything: Installed) -> Origin:
    """The distribution of a plugin without tables, where its file belongs to one."""
    file = getattr(plugin, "__file__", None)
    if not isinstance(file, str):
        return origin
    return replace(owner_of(Path(file).parent, everything.distributions), entry_point=origin.entry_point)


@contextmanager
def _importable(plugin: Any) -> Iterator[None]:
    """Let ``"package:folder"`` find a module that was loaded from a path of its own."""
    name = plugin.__name__ if isinstance(plugin, ModuleType) else None
    if name is None or name in sys.modules:
        yield
        return
    sys.modules[name] = plugin
    try:
        yield
    except BaseException:
        if sys.modules.get(name) is plugin:
            del sys.modules[name]
        raise
