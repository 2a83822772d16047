"""Runs the health checks of plugins, each on a thread of its own; nobody who asks how they stand waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from corehost.core.checks import CheckResult, CheckStatus, HealthCheck
from corehost.core.errors import PluginStartFailed, Where
from corehost.core.jitter import between
from corehost.core.presentable import presentable
from corehost.core.results import Readiness, ReadinessState
from corehost.installation import Installation

if TYPE_CHECKING:
    from corehost.host import Host

_log = logging.getLogger("corehost")

_HOOK = "corehost_register_health_checks"


class HealthChecks:
    """The checks of one host, from the end of its start to its stop."""

    def __init__(self) -> None:
        self._running: tuple[_Running, ...] = ()  # replaced whole: probes read it

    def registered(self, installation: Installation, names: Iterable[str]) -> list[tuple[str, HealthCheck]]:
        """What these plugins register, by plugin. Raises PluginStartFailed naming the one that is wrong."""
        return [(name, check) for name in names for check in _checks_of(installation, name)]

    def begin(self, host: Host, checks: Iterable[tuple[str, HealthCheck]]) -> None:
        """Begin these, beside those that run; blocks until the critical ones have answered, or are late."""
        added = [_Running(host, plugin, check) for plugin, check in checks]
        self._running = tuple(sorted((*self._running, *added), key=lambda one: one.key))
        for one in added:
            one.begin()
        for one in added:
            if one.critical:
                one.await_first()

    def end(self) -> None:
        """Call none of them any more; one that hangs is left to itself."""
        running, self._running = self._running, ()
        for one in running:
            one.end()

    def judge(self, whole: Readiness, late: Mapping[str, Readiness]) -> Readiness:
        """The host's readiness, with what checks say of it, and of ``late`` plugins, each by itself."""
        results = tuple(one.result() for one in self._running)
        if late:
            of_each = {name: [each for each in results if each.plugin == name] for name in late}
            judged = {name: _judged(readiness, of_each[name]) for name, readiness in late.items()}
            whole = replace(whole, plugins={**whole.plugins, **judged})
        if not results:
            return whole
        return replace(_judged(whole, [each for each in results if each.plugin not in late]), checks=results)


class _Running:
    """One check, called again and again."""

    def __init__(self, host: Host, plugin: str, check: HealthCheck):
        self._host = host
        self._plugin = plugin
        self._check = check
        self._over = threading.Event()
        self._answered = threading.Event()
        self._began: float | None = None
        self._last = CheckResult(plugin=plugin, name=check.name, critical=check.critical, status="pending")

    @property
    def key(self) -> tuple[str, str]:
        return self._plugin, self._check.name

    @property
    def critical(self) -> bool:
        return self._check.critical

    def begin(self) -> None:
        self._began = time.monotonic()
        name = f"corehost-check-{self._plugin}-{self._check.name}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def end(self) -> None:
        self._over.set()

    def await_first(self) -> None:
        self._answered.wait(self._check.timeout.total_seconds())

    def result(self) -> CheckResult:
        """How it stands now: an answer that is overdue is a failure, before it comes."""
        began, allowed = self._began, self._check.timeout.total_seconds()
        if began is not None and time.monotonic() - began >= allowed:
            return replace(self._last, status="failing", message=f"no answer within {allowed:g} s")
        return self._last

    def _run(self) -> None:
        while not self._over.is_set():
            began = self._began = time.monotonic()
            status, message = self._call()
            took = time.monotonic() - began
            if took >= self._check.timeout.total_seconds():
                status, message = "failing", f"it took {took:.1f} s"
            before = self._last.status
            self._last = replace(
                self._last,
                status=status,
                message=message,
                checked_at=datetime.now(UTC),
                duration_ms=took * 1000,
            )
            self._began = None
            self._answered.set()
            self._tell(before)
            # a fleet that was started together must not ask in step
            self._over.wait(self._check.interval.total_seconds() * between(0.8, 1.0))

    def _call(self) -> tuple[CheckStatus, str | None]:
        try:
            answer = self._check.check(self._host)
        except BaseException as error:  # sys.exit() in a plugin must not end the thread
            text = str(error).strip().partition("\n")[0]
            return "failing", presentable(f"{type(error).__name__}: {text}" if text else type(error).__name__)
        if answer is False:
            return "failing", None
        return "passing", presentable(answer) if isinstance(answer, str) else None

    def _tell(self, before: CheckStatus) -> None:
        """A change in the log, once; that all is well from the start is no news."""
        if self._last.status != before and (before, self._last.status) != ("pending", "passing"):
            level = logging.WARNING if self._last.status == "failing" else logging.INFO
            _log.log(level, "%s", self._last, extra={"event": "check.changed", "branch": self._plugin})


def _checks_of(installation: Installation, name: str) -> list[HealthCheck]:
    origins = {found.name: found.origin for found in installation.discovery.found}
    where = origins[name].where(branch=name) if name in origins else Where(branch=name)
    try:
        answers: Sequence[object] = installation.caller(_HOOK, name)()
        found = [check for answer in answers for check in _listed(answer)]
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginStartFailed(f"plugin {name!r}: {_HOOK} failed: {reason}", where=where) from error
    for check in found:
        if not isinstance(check, HealthCheck):
            wrong = f"{type(check).__name__}, not HealthCheck"
            raise PluginStartFailed(f"plugin {name!r}: {_HOOK} gave a {wrong}", where=where)
    names = [check.name for check in found]
    for twice in sorted({one for one in names if names.count(one) > 1}):
        raise PluginStartFailed(f"plugin {name!r} has two health checks named {twice!r}", where=where)
    return found


def _listed(answer: object) -> list[HealthCheck]:
    if isinstance(answer, HealthCheck):
        return [answer]
    return list(answer)  # type: ignore[call-overload, no-any-return]


def _judged(readiness: Readiness, results: Sequence[CheckResult]) -> Readiness:
    """Not ready while a critical check has not answered, or fails."""
    if not readiness.ready:
        return readiness
    wrong = sorted(
        (one for one in results if one.critical and one.status != "passing"), key=lambda one: one.status
    )
    if not wrong:
        return readiness
    state: ReadinessState = "degraded" if wrong[0].status == "failing" else "starting"
    return replace(readiness, ready=False, state=state, message=str(wrong[0]))
