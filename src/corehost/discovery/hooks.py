"""The one pluggy manager: its specifications, who implements them, and what is wrong with a plugin's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final

import pluggy

from corehost import hookspecs
from corehost.core.errors import ConfigurationError, PluginError, did_you_mean
from corehost.core.spec import PluginSpec
from corehost.discovery.guard import guarded, import_object

_REGISTER: Final = "corehost_register_plugin"


class Hooks:
    """The hooks of one host."""

    def __init__(self, specifications: Sequence[str]):
        """Know corehost's specifications, and those in the host's modules of that name.

        Raises ConfigurationError where one of these is wrong.
        """
        modules = [_imported("hookspecs", name) for name in dict.fromkeys(specifications)]
        self._specifications = [hookspecs, *modules]
        self.manager = self._empty()
        # A plugin is examined apart: what pluggy refuses half way leaves its traces here, not with the host.
        self._probe = self._empty()

    def examine(self, name: str, plugin: object) -> tuple[PluginSpec | None, list[PluginError]]:
        """What a plugin says of itself where it says it, and all that is wrong with its hooks."""
        try:
            guarded(lambda: self._probe.register(plugin, name), "its hooks cannot be registered")
            problems = list(_unknown_hooks(self._probe, plugin))
            try:
                return self._spec(plugin), problems
            except PluginError as error:
                return None, [*problems, error]
        except PluginError as error:
            self._probe = self._empty()
            refusal = error.__cause__
            if isinstance(refusal, pluggy.PluginValidationError):
                return None, [PluginError(_one_line(refusal))]
            return None, [error]
        finally:
            self._probe.unregister(name=name)

    def add_host_modules(self, names: Iterable[str]) -> tuple[str, ...]:
        """Register the host's own modules of hooks; raises ConfigurationError where one is wrong."""
        registered = []
        for name in dict.fromkeys(names):
            module = _imported("hooks", name)
            if (plugin := self.manager.get_name(module)) is not None:
                raise ConfigurationError(f"hooks: {name} is the plugin {plugin!r} already")
            try:
                registered.append(self.manager.register(module, f"host:{name}") or name)
            except pluggy.PluginValidationError as error:
                raise ConfigurationError(f"hooks: {name}: {_one_line(error)}") from None
            for problem in _unknown_hooks(self.manager, module):
                raise ConfigurationError(f"hooks: {name}: {problem.message}", hint=problem.hint)
            if _implements(self.manager, module, _REGISTER):
                raise ConfigurationError(
                    f"hooks: {name} implements {_REGISTER}, which is for plugins",
                    hint="declare an entry point, or a mount",
                )
        return tuple(registered)

    def _empty(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        for module in self._specifications:
            try:
                manager.add_hookspecs(module)
            except ValueError as error:
                raise ConfigurationError(f"hookspecs: {module.__name__}: {_one_line(error)}") from None
        return manager

    def _spec(self, plugin: object) -> PluginSpec:
        if not _implements(self._probe, plugin, _REGISTER):
            raise PluginError(f"it has no hook {_REGISTER}", hint=_missing_hint(plugin))
        try:
            results = guarded(self._probe.hook.corehost_register_plugin, f"{_REGISTER} failed")
        except PluginError as error:
            if isinstance(error.__cause__, PluginError):  # a PluginSpec that refused its values
                raise PluginError(error.__cause__.message) from error.__cause__
            raise
        if len(results) > 1:
            raise PluginError(f"{_REGISTER} is implemented {len(results)} times")
        if not results or not isinstance(results[0], PluginSpec):
            returned = type(results[0]).__name__ if results else "None"
            raise PluginError(f"{_REGISTER} returned {returned}, not a PluginSpec")
        return results[0]


def _imported(setting: str, name: str) -> Any:
    try:
        return guarded(lambda: import_object(name), "does not import")
    except PluginError as error:
        raise ConfigurationError(f"{setting}: {name} {error.message}", where=error.where) from error.__cause__


def _implements(manager: pluggy.PluginManager, plugin: object, hook: str) -> bool:
    return any(caller.name == hook for caller in manager.get_hookcallers(plugin) or ())


def _unknown_hooks(manager: pluggy.PluginManager, plugin: object) -> Iterator[PluginError]:
    """What pluggy's check_pending finds of one plugin, all of it at once."""
    known = [
        name for name, caller in vars(manager.hook).items() if not name.startswith("_") and caller.has_spec()
    ]
    for caller in sorted(manager.get_hookcallers(plugin) or (), key=lambda caller: caller.name):
        implementations = [impl for impl in caller.get_hookimpls() if impl.plugin is plugin]
        if not caller.has_spec() and not all(impl.optionalhook for impl in implementations):
            yield PluginError(
                f"it implements an unknown hook {caller.name!r}", hint=did_you_mean(caller.name, known)
            )


def _missing_hint(plugin: object) -> str:
    if callable(getattr(plugin, _REGISTER, None)):
        return f"mark {_REGISTER} with @corehost.hookimpl"
    kind = "module" if isinstance(plugin, ModuleType) else "object"
    return f"define it in the {kind} that the entry point names, marked with @corehost.hookimpl"


def _one_line(error: Exception) -> str:
    # pluggy prints sets of arguments as they come, which differs from process to process
    text = " ".join(str(error).split())
    return re.sub(r"\{([^{}]*)\}", lambda match: f"{{{', '.join(sorted(match[1].split(', ')))}}}", text)
