"""What a host that serves does for those of other versions: shows that it is there, runs what waited."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from corehost.contracting import LateSteps
from corehost.core.errors import CorehostError, WaitTimedOut
from corehost.core.results import MigrationReport
from corehost.core.settings import Settings
from corehost.installation import Installation
from corehost.migrate.stop import Stop
from corehost.postgres.connect import Connector
from corehost.presence import Presence

_TRIES: Final = 3


class Attendance:
    """One host's presence from before its plugins are started until it has stopped."""

    def __init__(self, settings: Settings, connector: Connector):
        self._settings = settings
        self._connector = connector
        self._presence: Presence | None = None
        self._late: LateSteps | None = None
        self._watch: Callable[[Presence], None] | None = None

    def begin(
        self,
        installation: Installation,
        report: MigrationReport,
        again: Callable[[], MigrationReport],
        stop: Stop,
    ) -> MigrationReport:
        """Take the presence after a pass, which is done ``again`` where something is pending since.

        Returns the last pass's report. Raises IncompatibleDatabase where this code must not serve any
        more, WaitTimedOut and DatabaseUnavailable.
        """
        self.end()
        if self._settings.mode == "off":  # whoever does not look at the database does not wait for it
            return report
        presence = Presence(installation, self._connector)
        if self._settings.presence == "off":
            presence.note_that_there_is_none()
            return report
        for _ in range(_TRIES):
            if presence.take(stop):
                self._presence = presence
                return report
            report = again()
        raise WaitTimedOut("the database is changed again each time that it is up to date")

    def serve(
        self,
        report: MigrationReport,
        *,
        lost: Callable[[str], object],
        found: Callable[[], object],
        refused: Callable[[CorehostError], object],
        run: Callable[[], MigrationReport],
    ) -> None:
        """The host serves: keep the presence, and ``run`` what was held back as soon as that may be."""
        if self._presence is not None:
            self._watch = partial(Presence.watch, lost=lost, found=found, refused=refused)
            self._watch(self._presence)
        is_seen = self._presence is not None and self._presence.is_held
        in_background = any(held.in_background for held in report.deferred.values())
        if report.deferred and (is_seen or in_background) and self._settings.mode == "migrate":
            self._late = LateSteps(self._sees, run)
            self._late.begin(report.deferred)

    def extend(self, installation: Installation, stop: Stop) -> None:
        """The host that serves has a plugin more: be present with that as well. Raises as :meth:`begin`."""
        earlier = self._presence
        if earlier is None:
            return
        presence = Presence(installation, self._connector)
        if not presence.take(stop):
            raise WaitTimedOut("something is pending again", hint="add the plugin again")
        self._presence = presence
        earlier.end()
        if self._watch is not None:
            self._watch(presence)

    def _sees(self, older: Collection[str]) -> bool:
        return self._presence is None or self._presence.sees(older)

    @property
    def is_lost(self) -> bool:
        """Whether there was a presence, and it is being taken again."""
        return self._presence is not None and self._presence.is_lost

    def keep_across_exec(self) -> None:
        """Let the presence live as long as the program that takes this process's place."""
        if self._presence is not None:
            self._presence.keep_across_exec()

    def end(self) -> None:
        """The host serves no more."""
        if self._late is not None:
            self._late.end()
        if self._presence is not None:
            self._presence.end()
        self._presence = self._late = self._watch = None
