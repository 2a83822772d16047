"""The passes of one host, with its hooks told; and what stands in for one where ``mode`` says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from corehost.core.branch import Branch
from corehost.core.errors import CorehostError, PassStopped, RevisionsPending
from corehost.core.plan import Plan, Step
from corehost.core.results import MigrationReport, StepResult
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.migrate import (
    BackgroundSteps,
    Beacon,
    MigrationPass,
    Observer,
    PassContext,
    PassRequest,
    Several,
    Stop,
)
from corehost.postgres.connect import Connection, Connector, translated_errors
from corehost.readiness import Look, look_around, wait_until_ready
from corehost.telemetry.measures import Measures
from corehost.telemetry.watch import watched_pass

_log = logging.getLogger("corehost")


class Passes:
    """Runs passes, one at a time in a host: what a pass leaves out is left out of the host's hooks."""

    def __init__(self, settings: Settings, connector: Connector):
        self._settings = settings
        self._connector = connector
        self._one_at_a_time = threading.RLock()
        self._stops: tuple[Stop, ...] = ()  # replaced whole: a signal handler reads it
        self._listing = threading.Lock()  # several threads write it
        self._without: dict[str, object] = {}
        self.measures = Measures()
        """What has been done here, in numbers."""

    @property
    def without(self) -> frozenset[str]:
        """The plugins that the host goes on without since the last pass."""
        return frozenset(self._without)

    def plan(self, installation: Installation, *, only: str | None) -> Plan:
        """The ordered steps that a pass would run now; changes nothing."""
        runner = self._pass(installation, Observer(), PassRequest(only=only))
        return _with_facts(installation, runner.plan())

    def prepare(
        self, installation: Installation, observer: Observer, *, only: str | None = None
    ) -> MigrationReport:
        """Do what a start does before the plugins are started, as the setting ``mode`` says.

        ``only`` one branch is brought up to date for a host that serves: its hooks stay as they are.
        Raises MigrationError; with ``mode = "check"`` RevisionsPending where something is.
        """
        with self._one_at_a_time:
            if only is not None:
                return self._prepare(installation, observer, only)
            return self._judging_anew(installation, lambda: self._prepare(installation, observer, None))

    def _prepare(self, installation: Installation, observer: Observer, only: str | None) -> MigrationReport:
        match self._settings.mode:
            case "migrate":
                return self._run(installation, PassRequest(only=only), observer)
            case "off":
                return MigrationReport(ready=True)
            case other:
                look = self._wait if other == "wait" else self._check
                with watched_pass(self.measures) as watch:
                    report = look(installation, Several(watch, observer), only)
                    watch.passed(report)
                return report

    def migrate(
        self, installation: Installation, request: PassRequest, observer: Observer
    ) -> MigrationReport:
        """Run one pass. Raises MigrationError."""
        with self._one_at_a_time:
            kept_out = self.without if request.serving else frozenset()
            report = self._judging_anew(
                installation, lambda: self._run(installation, request, observer), kept_out
            )
        while applied := self._in_background(installation, request, observer, report):
            with self._one_at_a_time:  # what was held back for them
                behind = self._run(installation, replace(request, background=False), observer)
            report = replace(behind, applied=(*report.applied, *applied, *behind.applied))
        return report

    def run_late(self, installation: Installation, *, background: bool) -> MigrationReport:
        """Run the pass that a host which serves runs by itself; raises at once where others are at it."""
        request = PassRequest(wait=False, background=background, serving=True)
        return self.migrate(installation, request, Observer())

    def _in_background(
        self,
        installation: Installation,
        request: PassRequest,
        observer: Observer,
        report: MigrationReport,
    ) -> tuple[StepResult, ...]:
        """Run the background steps that a pass has held back; what was applied."""
        if not request.background or not any(held.in_background for held in report.deferred.values()):
            return ()
        with watched_pass(self.measures) as watch:
            context = self._context(installation, Several(watch, observer), request)
            steps = BackgroundSteps(context, self._connector, wait=request.wait)
            with self.stoppable(steps.stop):
                return steps.run()

    def interrupt(self) -> bool:
        """Ask whatever runs to end, a step within ``shutdown_grace``; False where nothing runs."""
        stops = self._stops
        for stop in stops:
            grace = self._settings.shutdown_grace.total_seconds()
            stop.ask(PassStopped("the pass was asked to end"), grace=grace)
        return bool(stops)

    def _run(self, installation: Installation, request: PassRequest, observer: Observer) -> MigrationReport:
        hook = installation.discovery.manager.hook
        report = MigrationReport()
        try:
            with watched_pass(self.measures) as watch:
                runner = self._pass(installation, Several(watch, observer), request)
                with self.stoppable(runner.stop):
                    report = runner.run()
                watch.passed(report)
        except CorehostError as error:
            report = getattr(error, "report", None) or report
            raise
        finally:
            quietly("corehost_after_migrate", lambda: hook.corehost_after_migrate(report=report))
        return report

    def _wait(self, installation: Installation, observer: Observer, only: str | None) -> MigrationReport:
        """Look, without a lock, until another job has migrated."""
        stop, began = Stop(), time.monotonic()
        beacon = Beacon(self._connector, observer, graph=installation.graph)
        told = Several(beacon, observer)

        def looked(connection: Connection, seen: Look) -> None:
            told.planned(sum(len(found.pending) for found in seen.branches))
            told.looked(seen.counts)
            beacon.on_look(connection, {found.lock.pid for found in seen.branches if found.lock})

        try:
            with self.stoppable(stop):
                seen = wait_until_ready(
                    self._connector,
                    installation.graph,
                    timeout=self._settings.wait_timeout,
                    waiting=told.waiting,
                    policy=installation.policy,
                    only=only,
                    progress_counts=True,
                    looked=looked,
                    sleep=stop.sleep,
                    check=stop.check,
                )
        finally:
            beacon.end(None)
        return _report_of(seen, waited=time.monotonic() - began)

    def _check(self, installation: Installation, observer: Observer, only: str | None) -> MigrationReport:
        """Look once, without a lock."""
        with translated_errors(), self._connector.open() as connection:
            seen = look_around(connection, installation.graph, policy=installation.policy)
        observer.looked(seen.counts)
        seen = seen.of(installation.graph.wanted(only))
        if unservable := seen.unservable():
            raise unservable
        if not seen.ready:
            pending = [found for found in seen.branches if found.pending and not found.left_out]
            raise RevisionsPending(
                "revisions are pending: " + ", ".join(f"{s.branch} ({len(s.pending)})" for s in pending),
                where=pending[0].origin.where(branch=pending[0].branch) if pending else None,
                hint="run 'corehost migrate' first: this start only checks (mode)",
            )
        return _report_of(seen)

    def _judging_anew(
        self,
        installation: Installation,
        run: Callable[[], MigrationReport],
        kept_out: frozenset[str] = frozenset(),
    ) -> MigrationReport:
        """Run with all hooks, for what failed is tried again; where the run itself fails all is as before."""
        before = self.without
        self._go_on_without(installation, frozenset())
        try:
            report = run()
        except BaseException:
            self._go_on_without(installation, before)
            raise
        self._go_on_without(installation, installation.with_dependents(report.left_out) | kept_out)
        return report

    def _go_on_without(self, installation: Installation, names: frozenset[str]) -> None:
        """Take the hooks of these plugins away, and give those back that were taken away before."""
        manager = installation.discovery.manager
        for name, plugin in self._without.items():
            manager.register(plugin, name)
        gone = sorted(name for name in names if manager.has_plugin(name))
        self._without = {name: manager.unregister(name=name) for name in gone}

    @contextmanager
    def stoppable(self, stop: Stop) -> Iterator[None]:
        """What runs meanwhile ends when :meth:`interrupt` is called, by way of this stop."""
        with self._listing:
            self._stops = (*self._stops, stop)
        try:
            yield
        finally:
            with self._listing:
                self._stops = tuple(other for other in self._stops if other is not stop)

    def _pass(self, installation: Installation, observer: Observer, request: PassRequest) -> MigrationPass:
        return MigrationPass(
            self._context(installation, observer, request), self._connector, wait=request.wait
        )

    def _context(self, installation: Installation, observer: Observer, request: PassRequest) -> PassContext:
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
            quietly("corehost_step_finished", lambda: hook.corehost_step_finished(step=step, result=result))

        def before(plan: Plan) -> None:
            if hook.corehost_before_migrate.get_hookimpls():
                hook.corehost_before_migrate(plan=_with_facts(installation, plan))

        return PassContext(
            graph=installation.graph,
            settings=self._settings,
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


def _report_of(seen: Look, *, waited: float = 0.0) -> MigrationReport:
    left_out = {s.branch: s.reason or f"it is {s.state}" for s in seen.branches if s.left_out}
    return MigrationReport(ready=True, waited_ms=waited * 1000, left_out=MappingProxyType(left_out))


def _with_facts(installation: Installation, plan: Plan) -> Plan:
    return plan.with_facts({step.node: installation.facts(step.node) for step in plan.steps})


def _arguments(implementation: Any, **known: Any) -> list[Any]:
    return [known[name] for name in implementation.argnames]


def quietly(hook: str, call: Callable[[], object]) -> None:
    """Call an observing hook; its exception is logged and changes nothing."""
    try:
        call()
    except Exception:
        _log.exception("a plugin's %s failed", hook, extra={"event": "hook.failed"})
