"""Host: discover, plan, wait, apply, start; wiring only."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from corehost import schemas
from corehost.board import Board
from corehost.config import load_settings
from corehost.core.branch import Branch
from corehost.core.errors import CorehostError, PassStopped
from corehost.core.plan import Plan, Step
from corehost.core.results import MigrationReport, Readiness, StepResult
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.lifecycle import Lifecycle
from corehost.migrate import MigrationPass, Observer, PassContext, PassRequest, Several, Stop
from corehost.postgres.connect import Connection, Connector

_log = logging.getLogger("corehost")


class Host:
    """One host application on one database.

    ``connect`` is called for every new connection and returns a psycopg connection that corehost then
    owns; without it the settings say where to connect.
    """

    def __init__(self, settings: Settings, *, connect: Callable[[], Connection] | None = None):
        self.settings = settings
        self._connector = Connector(settings, connect)
        self._installation: Installation | None = None
        self._lifecycle: Lifecycle | None = None
        self._lock = threading.RLock()
        self._board = Board()
        self._stop: Stop | None = None
        self._without: dict[str, object] = {}

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
                self._installation = Installation(self.settings)
                schemas.use(self._installation.schemas)
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
    def ready(self) -> bool:
        """Whether this instance may serve; from memory, no I/O."""
        return self._board.readiness.ready

    def readiness(self) -> Readiness:
        """The state of this instance; from memory, never waits, never locks."""
        return self._board.readiness

    def plan(self, *, only: str | None = None) -> Plan:
        """The ordered steps that a pass would run now; changes nothing."""
        installation = self.installation
        runner = self._pass(installation, Observer(), PassRequest(only=only))
        return _with_facts(installation, runner.plan())

    def migrate(
        self,
        *,
        only: str | None = None,
        wait: bool = True,
        allow_destructive: bool = False,
        contract: bool = False,
        observer: Observer | None = None,
    ) -> MigrationReport:
        """Discover, plan, wait for others, apply what is pending.

        ``only`` restricts the pass to one branch and what that depends on; ``wait=False`` gives up
        when somebody else holds a lock; ``allow_destructive`` lets steps pass that
        ``on_destructive`` refuses; ``contract`` runs contract steps now, unless an instance is present that
        lacks them. Raises MigrationError, its ``report`` saying what this
        process had applied.
        """
        self._board.begin()
        try:
            request = PassRequest(
                only=only, wait=wait, allow_destructive=allow_destructive, contract=contract
            )
            report = self._migrate(request, observer or Observer())
        except BaseException as error:
            self._board.fail(error)
            raise
        # Serving may begin only when the start-up hooks are done: start() says so.
        if report.ready and only is None:
            self._board.take("finish")
        else:
            self._board.waiting("other branches are not up to date")
        return report

    async def migrate_async(self, **options: Any) -> MigrationReport:
        """The same as :meth:`migrate`, on a thread of its own; the event loop goes on."""
        return await asyncio.to_thread(self.migrate, **options)

    def start(self) -> MigrationReport:
        """The pass, then every plugin's ``corehost_startup`` in dependency order.

        Raises MigrationError: PluginStartFailed, naming the plugin, where a start-up hook fails.
        """
        self._board.begin()
        try:
            report = self._migrate(PassRequest(), Observer())
            self._board.take("passed", message="the plugins start")
            self._lifecycle = Lifecycle(self.installation)
            self._lifecycle.start(self)
        except BaseException as error:
            self._board.fail(error)
            raise
        self._board.take("finish")
        return report

    def interrupt(self) -> bool:
        """Ask a pass that runs to end: a waiting one at once, a step within ``shutdown_grace``.

        False where no pass runs. Thread-safe, and safe in a signal handler.
        """
        stop = self._stop
        if stop is None:
            return False
        grace = self.settings.shutdown_grace.total_seconds()
        stop.ask(PassStopped("the pass was asked to end"), grace=grace)
        return True

    def stop(self) -> None:
        """Every started plugin's ``corehost_shutdown``, in reverse; may be called more than once.

        A pass that runs on another thread is asked to end.
        """
        self.interrupt()
        lifecycle, self._lifecycle = self._lifecycle, None
        if lifecycle is not None:
            self._board.take("end", message="the host has stopped")
            lifecycle.stop(self)

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

    def _migrate(self, request: PassRequest, observer: Observer) -> MigrationReport:
        installation = self.installation
        self._go_on_without(frozenset())  # what failed is tried again, its hooks with it
        runner = self._pass(installation, Several(self._board, observer), request)
        hook = self.hook
        report = MigrationReport()
        self._stop = runner.stop
        try:
            report = runner.run()
            self._go_on_without(installation.with_dependents(report.left_out))
        except CorehostError as error:
            report = getattr(error, "report", None) or report
            raise
        finally:
            self._stop = None
            _quietly("corehost_after_migrate", lambda: hook.corehost_after_migrate(report=report))
        return report

    def _go_on_without(self, names: frozenset[str]) -> None:
        """Take the hooks of these plugins away, and give those back that were taken away before."""
        manager = self.installation.discovery.manager
        for name, plugin in self._without.items():
            manager.register(plugin, name)
        gone = sorted(name for name in names if manager.has_plugin(name))
        self._without = {name: manager.unregister(name=name) for name in gone}

    def _pass(self, installation: Installation, observer: Observer, request: PassRequest) -> MigrationPass:
        hook = installation.discovery.manager.hook

        def contexts(branch: Branch) -> Sequence[AbstractContextManager[Any]]:
            """Those of the branch's own plugin, and of modules that are no branch: the host's own."""
            found: list[AbstractContextManager[Any]] = []
            for implementation in hook.corehost_migration_context.get_hookimpls():
                if implementation.plugin_name in {*installation.order} - {branch.name}:
                    continue
                context: Any = implementation.function(*_arguments(implementation, branch=branch))
                if context is not None:
                    found.append(context)
            return found

        def finished(step: Step, result: StepResult) -> None:
            _quietly("corehost_step_finished", lambda: hook.corehost_step_finished(step=step, result=result))

        def before(plan: Plan) -> None:
            if hook.corehost_before_migrate.get_hookimpls():
                hook.corehost_before_migrate(plan=_with_facts(installation, plan))

        context = PassContext(
            graph=installation.graph,
            settings=self.settings,
            policy=replace(
                installation.policy,
                contract_now=request.contract,
                refuse_destructive=installation.policy.refuse_destructive and not request.allow_destructive,
            ),
            facts=installation.facts,
            contexts=contexts,
            before=before,
            step_started=lambda step: hook.corehost_step_started(step=step),
            step_finished=finished,
            observer=observer,
            only=request.only,
            allow_destructive=request.allow_destructive,
        )
        return MigrationPass(context, self._connector, wait=request.wait)


def _with_facts(installation: Installation, plan: Plan) -> Plan:
    return plan.with_facts({step.node: installation.facts(step.node) for step in plan.steps})


def _arguments(implementation: Any, **known: Any) -> list[Any]:
    return [known[name] for name in implementation.argnames]


def _quietly(hook: str, call: Callable[[], object]) -> None:
    """Call an observing hook; its exception is logged and changes nothing."""
    try:
        call()
    except Exception:
        _log.exception("a plugin's %s failed", hook)
