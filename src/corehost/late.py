"""Plugins that are added while a host serves: in whole, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from corehost import schemas
from corehost.board import Board
from corehost.checks import HealthChecks
from corehost.core.checks import HealthCheck
from corehost.core.errors import ConfigurationError, CorehostError, did_you_mean
from corehost.core.results import MigrationReport, Readiness
from corehost.core.settings import Settings
from corehost.discovery import LatePlugin, examined, settled
from corehost.installation import Installation
from corehost.lifecycle import Lifecycle
from corehost.passes import Passes

if TYPE_CHECKING:
    from corehost.host import Host


class LatePlugins:
    """Adds plugins one after the other, and knows of each how it stands.

    A plugin is tried on copies: its graph in an installation of its own, its hooks in a manager of their
    own. What the host has is touched last, when nothing can fail any more.
    """

    def __init__(
        self,
        settings: Settings,
        passes: Passes,
        lifecycle: Lifecycle,
        checks: HealthChecks,
        *,
        use: Callable[[Installation], None],
        attend: Callable[[Installation], AbstractContextManager[None]],
        later: Callable[[MigrationReport], None],
    ):
        self._settings = settings
        self._passes = passes
        self._lifecycle = lifecycle
        self._use = use
        self._attend = attend
        self._later = later
        self._checks = checks
        self._changing = threading.RLock()
        self._busy = False
        self._boards: Mapping[str, Board] = {}  # replaced whole: probes read it

    def readiness(self) -> Mapping[str, Readiness]:
        """Plugin -> its state, of those that were added since the host was started; from memory."""
        return {name: board.readiness for name, board in self._boards.items()}

    def forget(self) -> None:
        """The host has stopped: when it is started again these plugins are as the others."""
        self._boards = {}

    @contextmanager
    def none_added(self) -> Iterator[None]:
        """Keep others from adding a plugin meanwhile. Raises ConfigurationError inside of another one."""
        with self._changing:
            if self._busy:
                raise ConfigurationError(
                    "a plugin's hook can neither start its host nor add a plugin",
                    hint="do it when the hook has returned",
                )
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def add(self, host: Host, plugin: object) -> MigrationReport:
        """Add one; see :meth:`corehost.Host.add_plugin`."""
        with self.none_added():
            before = host.installation
            found = examined(
                self._settings,
                before.discovery,
                plugin,
                order=before.order,
                without=self._passes.without,
            )
            with found as late:
                trial = before.extended(late.discovery)
                if not self._lifecycle.running:
                    self._use(_settled(trial, late, before))
                    return MigrationReport()
                return self._bring_up(host, before, trial, late)

    def _bring_up(
        self, host: Host, before: Installation, trial: Installation, late: LatePlugin
    ) -> MigrationReport:
        name = late.name
        board = Board(needs_database=self._settings.readiness_needs_database)
        board.begin()
        self._boards = {**self._boards, name: board}

        checks: list[tuple[str, HealthCheck]] = []

        def up() -> Installation:
            after = _settled(trial, late, before)
            self._use(after)
            board.finish({})
            self._checks.begin(host, checks)
            return after

        try:
            schemas.use(trial.schemas)  # its revisions ask for it
            report = MigrationReport(ready=True)
            with ExitStack() as present:
                if name in trial.graph.trees:
                    report = self._passes.prepare(trial, board, only=name)
                    present.enter_context(self._attend(trial))
                checks += self._checks.registered(trial, [name])
                board.take("passed", message=f"plugin {name!r} starts")
                self._lifecycle.add(host, trial, name, up=up)
            self._later(report)
        except BaseException as error:
            schemas.use(before.schemas)
            self._boards = {other: there for other, there in self._boards.items() if other != name}
            if isinstance(error, CorehostError) and error.where.branch is None:
                error.where = replace(error.where, branch=name)
            raise
        return report


def _settled(trial: Installation, late: LatePlugin, before: Installation) -> Installation:
    """What was tried, with the host's own manager of hooks."""
    return trial.settled(settled(late, before.discovery.manager))


def of_plugin(whole: Readiness, plugin: str, installation: Installation | None) -> Readiness:
    """One plugin's part of a host's readiness. Raises ConfigurationError where there is no such plugin."""
    if plugin in whole.plugins:
        return whole.plugins[plugin]
    names = () if installation is None else installation.order
    if plugin not in names:
        raise ConfigurationError(f"there is no plugin {plugin!r}", hint=did_you_mean(plugin, names))
    return replace(whole, plugins={})
