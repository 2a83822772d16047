"""Host: discover, plan, wait, apply, start; wiring only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from corehost import schemas
from corehost.attendance import Attendance
from corehost.board import Board
from corehost.checks import HealthChecks
from corehost.config import load_settings
from corehost.core.errors import ConfigurationError
from corehost.core.plan import Plan
from corehost.core.results import MigrationReport, Readiness
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.late import LatePlugins, of_plugin
from corehost.lifecycle import Lifecycle, refuse_in_hook
from corehost.migrate import Observer, PassRequest, Several, Stop
from corehost.passes import Passes
from corehost.postgres.connect import Connection, Connector
from corehost.telemetry.measures import Measures
from corehost.watch import DatabaseWatch


class Host:
    """One host application on one database.

    ``connect`` is called for every new connection and returns a psycopg connection that corehost then
    owns; without it the settings say where to connect.
    """

    def __init__(self, settings: Settings, *, connect: Callable[[], Connection] | None = None):
        self.settings = settings
        self._connector = Connector(settings, connect)
        self._installation: Installation | None = None
        self._lock = threading.RLock()
        self._board = Board(needs_database=settings.readiness_needs_database)
        self._passes = Passes(settings, self._connector)
        self._lifecycle = Lifecycle(settings)
        self._checks = HealthChecks()
        self._watch: DatabaseWatch | None = None
        self._attendance = Attendance(settings, self._connector)
        self._late = LatePlugins(
            settings,
            self._passes,
            self._lifecycle,
            self._checks,
            use=self._use,
            attend=lambda installation: self._attendance.extended(installation, self._passes.stoppable),
            later=self._attendance.run_later,
        )

    @classmethod
    def from_config(cls, *, connect: Callable[[], Connection] | None = None, **settings: Any) -> Self:
        """A host as configuration file and environment describe it; ``settings`` win over both.

        Raises ConfigurationError.
        """
        config = settings.pop("config", None)
        return cls(load_settings(config=config, overrides=settings), connect=connect)

    @property
    def installation(self) -> Installation:
        """What is installed here; discovered once. Raises DiscoveryError, GraphError, ConfigurationError."""
        with self._lock:
            if self._installation is None:
                self._use(Installation(self.settings))
            assert self._installation is not None
            return self._installation

    @property
    def connector(self) -> Connector:
        """Opens connections to the host's database."""
        return self._connector

    @property
    def hook(self) -> Any:
        """pluggy's hook relay, with corehost's own hooks and those of the host's ``hookspecs``."""
        return self.installation.discovery.manager.hook

    @property
    def measures(self) -> Measures:
        """What its passes have done, in numbers; :class:`corehost.HostCollector` shows them."""
        return self._passes.measures

    @property
    def ready(self) -> bool:
        """Whether this instance may serve; from memory, no I/O."""
        return self.readiness().ready

    def readiness(self, *, plugin: str | None = None) -> Readiness:
        """The state of this instance, or of one plugin; from memory, never waits, never locks.

        A plugin that was added while the host served has a state of its own, and so has one that the host
        goes on without; the others have the host's. Raises ConfigurationError where there is no such plugin.
        """
        whole = self._checks.judge(self._board.readiness, self._late.readiness())
        return whole if plugin is None else of_plugin(whole, plugin, self._installation)

    def plan(self, *, only: str | None = None) -> Plan:
        """The ordered steps that a pass would run now; changes nothing."""
        return self._passes.plan(self.installation, only=only)

    def migrate(
        self,
        *,
        only: str | None = None,
        wait: bool = True,
        allow_destructive: bool = False,
        contract: bool = False,
        background: bool = False,
        observer: Observer | None = None,
    ) -> MigrationReport:
        """Discover, plan, wait for others, apply what is pending, whatever ``mode`` says.

        ``only`` one branch and what that depends on; ``wait=False`` gives up when somebody else holds a lock;
        ``allow_destructive`` lets steps pass that ``on_destructive`` refuses; ``contract`` runs contract
        steps now, unless an instance is present that lacks them; ``background`` runs background steps too.
        Raises MigrationError, its ``report`` saying what was applied here. A host that serves goes on so.
        """
        request = PassRequest(only=only, wait=wait, contract=contract, background=background)
        request = replace(request, allow_destructive=allow_destructive, serving=self._lifecycle.running)
        return self._told(
            lambda told: self._passes.migrate(self.installation, request, told), observer, whole=only is None
        )

    def prepare(self, *, observer: Observer | None = None) -> MigrationReport:
        """What a start does before it starts the plugins, as ``mode`` says; raises as :meth:`start` does."""
        return self._told(lambda told: self._passes.prepare(self.installation, told), observer, whole=True)

    async def migrate_async(self, **options: Any) -> MigrationReport:
        """The same as :meth:`migrate`, on a thread of its own; the event loop goes on."""
        return await asyncio.to_thread(self.migrate, **options)

    def start(self) -> MigrationReport:
        """What ``mode`` says, by default the pass; then each plugin's ``corehost_startup``, by dependency.

        Raises MigrationError: PluginStartFailed, naming the plugin, where a start-up hook fails or
        takes longer than ``startup_timeout``. Raises ConfigurationError where it is started already.
        """
        refuse_in_hook("start the host")
        with self._late.none_added():
            if self._lifecycle.running:
                raise ConfigurationError("the host is started already", hint="stop it first")
            board = self._board
            board.begin()
            try:
                installation = self.installation
                report = self._attend(self._passes.prepare(installation, board), board)
                self._lifecycle.start(
                    self,
                    installation,
                    starts=lambda name: board.take("passed", message=f"plugin {name!r} starts"),
                    up=lambda: self._serve(installation, report),
                )
            except BaseException as error:
                self._look_no_more()
                board.fail(error)
                raise
            return report

    def hold_presence(self, report: MigrationReport, *, across_exec: bool = False) -> None:
        """Show others that this instance is there, after the :meth:`prepare` that gave this report.

        For whoever runs something else in the host's place; :meth:`start` does so itself. ``across_exec``
        lets the presence live as long as the program that takes this process's place; otherwise it is kept
        until :meth:`stop`. Raises IncompatibleDatabase where this code must not serve, WaitTimedOut,
        DatabaseUnavailable.
        """
        report = self._attend(report, Observer())
        if across_exec:
            self._attendance.keep_across_exec()
        else:
            self._serve_beside_others(report)

    def add_plugin(self, plugin: object) -> MigrationReport:
        """Add a plugin that was not found at discovery: a module, another object, or what names one.

        For it holds what holds for those that are installed; it need not be part of a distribution. While
        the host serves its branch goes through a pass as ``mode`` says, then its ``corehost_startup`` is
        called; the host goes on serving, and reports the plugin's readiness by itself. Before the host is
        started the plugin is only noted. Blocks; may be called from any thread.

        Raises MigrationError naming the plugin (PluginError, GraphError, StepFailed, PluginStartFailed …);
        the host then is as it was, but for revisions of the plugin that were committed before.
        """
        refuse_in_hook("add a plugin")
        return self._late.add(self, plugin)

    async def add_plugin_async(self, plugin: object) -> MigrationReport:
        """The same as :meth:`add_plugin`, on a thread of its own; the event loop goes on."""
        return await asyncio.to_thread(self.add_plugin, plugin)

    def interrupt(self) -> bool:
        """Ask a pass that runs to end: a waiting one at once, a step within ``shutdown_grace``.

        False where no pass runs. Thread-safe, and safe in a signal handler.
        """
        return self._passes.interrupt()

    def stop(self) -> None:
        """Every started plugin's ``corehost_shutdown``, in reverse; may be called more than once.

        A pass on another thread is asked to end; the host's own in the background is waited for. A plugin
        that takes longer than ``shutdown_timeout`` is left to itself.
        """
        refuse_in_hook("stop the host")
        self._attendance.begin_no_more()
        self.interrupt()
        self._lifecycle.stop(self, down=self._serve_no_more)
        self._look_no_more()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _use(self, installation: Installation) -> None:
        with self._lock:
            self._installation = installation
            schemas.use(installation.schemas)

    def _serve(self, installation: Installation, report: MigrationReport) -> None:
        names = (*installation.discovery.host_modules, *installation.order)
        self._checks.begin(self, self._checks.registered(installation, names))
        self._board.take("passed")
        self._board.finish(report.left_out)
        self._serve_beside_others(report)

    def _attend(self, report: MigrationReport, told: Observer) -> MigrationReport:
        installation, stop = self.installation, Stop()
        with self._passes.stoppable(stop):
            return self._attendance.begin(
                installation, report, lambda: self._passes.prepare(installation, told), stop, told.waiting
            )

    def _serve_beside_others(self, report: MigrationReport) -> None:
        board = self._board
        self._attendance.serve(
            report,
            lost=board.lost_presence,
            found=board.found_database,
            refused=board.refuse,
            run=lambda background: self._passes.run_late(self.installation, background=background),
        )
        if self.settings.mode != "off" or self.settings.readiness_needs_database:
            self._watch = DatabaseWatch(self._connector, lost=board.lost_database, found=self._found_database)
            self._watch.begin()

    def _found_database(self) -> None:
        if not self._attendance.is_lost:
            self._board.found_database()

    def _serve_no_more(self) -> None:
        self._board.take("end", message="the host has stopped")
        self._checks.end()
        self._late.forget()

    def _look_no_more(self) -> None:
        self._checks.end()
        if self._watch is not None:
            self._watch.end()
        self._attendance.end(self.interrupt)

    def _told(
        self, run: Callable[[Observer], MigrationReport], observer: Observer | None, *, whole: bool
    ) -> MigrationReport:
        """Run a pass, its way told to probes as well, unless this host serves already."""
        if self._lifecycle.running:
            return run(observer or Observer())
        self._board.begin()
        try:
            report = run(Several(self._board, observer or Observer()))
        except BaseException as error:
            self._board.fail(error)
            raise
        if report.ready and whole:
            self._board.finish(report.left_out)
        else:
            self._board.waiting("other branches are not up to date")
        return report
