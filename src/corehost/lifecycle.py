"""Start-up and shutdown of plugins, in dependency order and in reverse, each within its time."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from corehost.core.errors import ConfigurationError, PassStopped, PluginStartFailed
from corehost.core.settings import Settings
from corehost.installation import Installation

if TYPE_CHECKING:
    from corehost.host import Host

_log = logging.getLogger("corehost")
_here: Final = threading.local()


def refuse_in_hook(what: str) -> None:
    """Raise ConfigurationError on the thread of a plugin's hook, where this would wait for itself."""
    if (name := getattr(_here, "hook", None)) is not None:
        raise ConfigurationError(f"{name} cannot {what}", hint="do it when the hook has returned")


class _Call:
    """One call of a plugin's hook, on a thread of its own, which is waited for only so long."""

    def __init__(self, name: str, call: Callable[[], object], *, late: Callable[[], object]):
        self._name = name
        self._call = call
        self._late = late
        self._deciding = threading.Lock()
        self._ended = threading.Event()
        self._abandoned = False
        self.error: BaseException | None = None
        """What the hook raised."""
        context = contextvars.copy_context()
        self._thread: Final = threading.Thread(
            target=context.run, args=(self._run,), name=f"corehost-{name}", daemon=True
        )

    def ends_within(self, seconds: float) -> bool:
        """Run it; False where it has not ended in time, and is left to itself. 0 waits for ever."""
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is about to end, and starts no thread any more
            self._run()
        try:
            if self._ended.wait(seconds or None):
                return True
        except BaseException:  # somebody has pressed Ctrl-C
            self._abandon()
            raise
        return not self._abandon()

    def joined(self, seconds: float) -> bool:
        """Whether it has ended, if need be after waiting so long."""
        self._thread.join(seconds or None)
        return not self._thread.is_alive()

    def _abandon(self) -> bool:
        with self._deciding:
            self._abandoned = not self._ended.is_set()
            return self._abandoned

    def _run(self) -> None:
        _here.hook = self._name
        try:
            self._call()
        except BaseException as error:  # sys.exit() in a plugin must not pass for the host's end
            self.error = error
        finally:
            _here.hook = None
        with self._deciding:
            self._ended.set()
            if not self._abandoned:
                return
        if self.error is None:
            self._late()


class Lifecycle:
    """What of a host's plugins has been started."""

    def __init__(self, settings: Settings):
        self._startup_seconds = settings.startup_timeout.total_seconds()
        self._shutdown_seconds = settings.shutdown_timeout.total_seconds()
        self._changing = threading.RLock()
        self._started: list[str] = []
        self._unfinished: dict[str, _Call] = {}
        self._installation: Installation | None = None

    @property
    def running(self) -> bool:
        """Whether a start is done, and no stop since."""
        return self._installation is not None

    def start(
        self,
        host: Host,
        installation: Installation,
        *,
        starts: Callable[[str], None],
        up: Callable[[], None],
    ) -> None:
        """Call every ``corehost_startup``, the host's own hooks first, then by dependency.

        ``starts`` gets each plugin's name before, ``up`` is called after all. Raises PluginStartFailed
        naming the plugin whose hook failed or took too long; those started before are shut down.
        """
        with self._changing:
            self._installation = installation
            try:
                for name in (*installation.discovery.host_modules, *installation.order):
                    starts(name)
                    self._start(host, installation, name)
                up()
            except BaseException:
                self.stop(host)
                raise

    def add(
        self, host: Host, installation: Installation, name: str, *, up: Callable[[], Installation]
    ) -> None:
        """Start one plugin more, then call ``up``, which gives the installation that holds from then on.

        Raises PluginStartFailed; PassStopped where the host has stopped.
        """
        with self._changing:
            if self._installation is None:
                raise PassStopped(f"the host stopped before plugin {name!r} was started")
            self._start(host, installation, name)
            self._installation = up()

    def stop(self, host: Host, *, down: Callable[[], None] = lambda: None) -> None:
        """Call ``down``, then ``corehost_shutdown`` of what was started, in reverse; failures are logged.

        Nothing where nothing is started. One that does not end in time is named in the log and left to
        itself.
        """
        with self._changing:
            installation, self._installation = self._installation, None
            if installation is None:
                return
            down()
            while self._started:
                self._stop(host, installation, self._started.pop())

    def _start(self, host: Host, installation: Installation, name: str) -> None:
        caller = installation.caller("corehost_startup", name)
        if caller.get_hookimpls():
            seconds = self._startup_seconds
            earlier = self._unfinished.pop(name, None)
            if earlier is not None and not earlier.joined(seconds):
                self._unfinished[name] = earlier
                raise _failed(installation, name, "its start-up of an earlier try has not ended yet")
            stops = _functions(installation, "corehost_shutdown", name)  # the plugin may be taken out before
            call = _Call(
                f"startup of {name}", lambda: caller(host=host), late=lambda: _stop_late(host, name, stops)
            )
            if not call.ends_within(seconds):
                self._unfinished[name] = call
                raise _failed(
                    installation, name, f"it did not start within {seconds:g} s", hint="raise startup_timeout"
                )
            if call.error is not None:
                text = f"{type(call.error).__name__}: {call.error}"
                raise _failed(installation, name, text) from call.error
        self._started.append(name)

    def _stop(self, host: Host, installation: Installation, name: str) -> None:
        caller = installation.caller("corehost_shutdown", name)
        if not caller.get_hookimpls():
            return
        call = _Call(f"shutdown of {name}", lambda: caller(host=host), late=lambda: None)
        if not call.ends_within(self._shutdown_seconds):
            _log.error(
                "plugin %r did not shut down within %g s", name, self._shutdown_seconds, extra=_about(name)
            )
        elif call.error is not None:
            _log.error("plugin %r failed to shut down", name, exc_info=call.error, extra=_about(name))


def _functions(installation: Installation, hook: str, name: str) -> list[Callable[[Host], object]]:
    found = installation.caller(hook, name).get_hookimpls()
    plain = [one for one in found if not (one.hookwrapper or one.wrapper)]
    return [partial(_with_host, one) for one in plain]


def _with_host(implementation: Any, host: Host) -> object:
    return implementation.function(*[host for _ in implementation.argnames])


def _stop_late(host: Host, name: str, functions: Sequence[Callable[[Host], object]]) -> None:
    """A start-up that was given up has ended well after all: nobody else will stop what it started."""
    _log.warning(
        "plugin %r has started after its start was given up; it is shut down", name, extra=_about(name)
    )
    for function in functions:
        try:
            function(host)
        except Exception:
            _log.exception("plugin %r failed to shut down", name, extra=_about(name))


def _about(name: str) -> dict[str, str]:
    return {"event": "plugin.not_stopped", "branch": name}


def _failed(
    installation: Installation, name: str, reason: str, *, hint: str | None = None
) -> PluginStartFailed:
    origins = {found.name: found.origin for found in installation.discovery.found}
    where = origins[name].where(branch=name) if name in origins else None
    return PluginStartFailed(f"plugin {name!r} failed to start: {reason}", where=where, hint=hint)
