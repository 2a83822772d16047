"""What a host that serves does for those of other versions: shows that it is there, runs what waited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final

from corehost.contracting import LateSteps
from corehost.core.errors import CorehostError, WaitTimedOut
from corehost.core.results import MigrationReport
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.migrate.stop import Stop
from corehost.postgres.connect import Connector
from corehost.presence import Lost, Presence

_TRIES: Final = 3
_CUT: Final = 5.0
"""Seconds beyond ``shutdown_grace`` that a step which is cut has to be rolled back."""


class Attendance:
    """One host's presence from before its plugins are started until it has stopped."""

    def __init__(self, settings: Settings, connector: Connector):
        self._settings = settings
        self._connector = connector
        self._changing = threading.Lock()
        self._presence: Presence | None = None
        self._late: LateSteps | None = None
        self._watch: Callable[[Presence], None] | None = None
        self._run: Callable[[], MigrationReport] | None = None
        self._found: Callable[[], object] = lambda: None

    def begin(
        self,
        installation: Installation,
        report: MigrationReport,
        again: Callable[[], MigrationReport],
        stop: Stop,
        waiting: Callable[[str], object],
    ) -> MigrationReport:
        """Take the presence after a pass, which is done ``again`` where something is pending since.

        ``waiting`` is told what is waited for. Returns the last pass's report. Raises IncompatibleDatabase
        where this code must not serve any more, WaitTimedOut and DatabaseUnavailable.
        """
        self.end()
        if self._settings.mode == "off":  # whoever does not look at the database does not wait for it
            return report
        presence = Presence(installation, self._connector)
        if self._settings.presence == "off":
            presence.note_that_there_is_none()
            return report
        for _ in range(_TRIES):
            if presence.take(stop, waiting):
                self._presence = presence
                return report
            report = again()
        raise WaitTimedOut("the database is changed again each time that it is up to date")

    def serve(
        self,
        report: MigrationReport,
        *,
        lost: Lost,
        found: Callable[[], object],
        refused: Callable[[CorehostError], object],
        run: Callable[[bool], MigrationReport],
    ) -> None:
        """The host serves: keep the presence, and ``run`` what was held back as soon as that may be.

        ``run`` is told whether background steps are run as well: not while nobody sees this instance.
        """

        def catch_up() -> None:
            if self._settings.mode == "migrate":
                self.run_later(run(False))

        if self._presence is not None:
            self._watch = partial(Presence.watch, lost=lost, found=found, refused=refused, catch_up=catch_up)
            self._watch(self._presence)
        self._found = found
        self._run = partial(run, True)
        self.run_later(report)

    def run_later(self, report: MigrationReport) -> None:
        """Run what the newest pass has held back as soon as that may be; nothing before :meth:`serve`."""
        is_seen = self._presence is not None and self._presence.is_held
        in_background = any(held.in_background for held in report.deferred.values())
        if not report.deferred or not (is_seen or in_background) or self._settings.mode != "migrate":
            return
        with self._changing:
            if self._run is not None:
                self.begin_no_more()
                self._late = LateSteps(self._present, self._run)
                self._late.begin(report.deferred)

    @contextmanager
    def extended(
        self, installation: Installation, stoppable: Callable[[Stop], AbstractContextManager[None]]
    ) -> Iterator[None]:
        """Be present with a plugin more in the block, and from then on unless that fails.

        Raises as :meth:`begin`.
        """
        earlier = self._presence
        if earlier is None:
            yield
            return
        presence = Presence(installation, self._connector)
        with stoppable(stop := Stop()):
            if not presence.take(stop):
                raise WaitTimedOut("something is pending again", hint="add the plugin again")
        try:
            yield
        except BaseException:
            presence.end()
            raise
        with self._changing:
            watch, has_ended = self._watch, self._presence is not earlier
            if not has_ended:
                self._presence = presence
        if has_ended:  # the host has stopped meanwhile
            presence.end()
            return
        was_lost = earlier.is_lost
        earlier.end()
        if watch is not None:
            watch(presence)
        if was_lost:
            self._found()

    def _present(self, older: Collection[str]) -> Collection[str]:
        return older if self._presence is None else self._presence.present(older)

    @property
    def is_lost(self) -> bool:
        """Whether there was a presence, and it is being taken again."""
        return self._presence is not None and self._presence.is_lost

    def keep_across_exec(self) -> None:
        """Let the presence live as long as the program that takes this process's place."""
        if self._presence is not None:
            self._presence.keep_across_exec()

    def begin_no_more(self) -> None:
        """Begin no pass in the background any more."""
        if (late := self._late) is not None:
            late.end()

    def end(self, interrupt: Callable[[], object] = lambda: None) -> None:
        """The host serves no more; blocks for a pass in the background, which ``interrupt`` asks to end."""
        self.begin_no_more()
        with self._changing:
            late, presence = self._late, self._presence
            self._presence = self._late = self._watch = self._run = None
        if late is not None:
            late.wait_for_end(interrupt, seconds=self._settings.shutdown_grace.total_seconds() + _CUT)
        if presence is not None:
            presence.end()
