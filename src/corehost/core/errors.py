"""Everything that corehost raises on purpose.

CorehostError
├── ConfigurationError            a setting is wrong (exit 2)
└── MigrationError                whatever keeps a database from being brought up to date (exit 1)
    ├── PluginError               one plugin is wrong, or one branch's folder or declaration (exit 2)
    ├── DiscoveryError            all that discovery found wrong, at once (exit 2)
    ├── GraphError                the revisions do not form one graph (exit 2)
    │   ├── CycleError
    │   ├── MissingRevisionError
    │   ├── AmbiguousRevisionError
    │   └── RevisionFileError
    ├── StepFailed                a revision failed and was recorded (exit 1)
    ├── PoolerRefused             the connection goes through a transaction pooler (exit 2)
    ├── IncompatibleDatabase      this code cannot serve this database (exit 5)
    │   └── DestructiveStepRefused  what is pending would drop data, and the settings refuse that
    ├── PresenceImpossible        this connection cannot show others that an instance is there (exit 1)
    ├── WaitTimedOut              nobody made progress for too long, or the pass took too long (exit 4)
    ├── RevisionsPending          a start that only checks found something pending (exit 3)
    ├── PluginStartFailed         a plugin's corehost_startup raised, or took too long (exit 1)
    ├── PassStopped               this process was asked to end (exit 143)
    └── DatabaseUnavailable       the database cannot be reached, or refuses the connection (exit 6)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from corehost.core.results import MigrationReport


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """Who and where an error speaks of; every part is optional."""

    branch: str | None = None
    """The branch (plugin) concerned."""
    revision: str | None = None
    """The revision concerned."""
    distribution: str | None = None
    """The installed distribution that ships it."""
    version: str | None = None
    """That distribution's version."""
    entry_point: str | None = None
    """The entry point, as ``group: name = value``."""
    file: str | None = None
    """The file that is wrong, or that is being run."""

    def __str__(self) -> str:
        parts = []
        if self.branch:
            parts.append(f"branch {self.branch!r}")
        if self.revision:
            parts.append(f"revision {self.revision}")
        if self.distribution:
            parts.append(f"distribution {self.distribution} {self.version or '(no version)'}")
        if self.entry_point:
            parts.append(f"entry point [{self.entry_point}]")
        if self.file:
            parts.append(f"file {self.file}")
        return ", ".join(parts)


class CorehostError(Exception):
    """The root of corehost's exceptions; ``str()`` gives who, what and what to do on few lines."""

    code: ClassVar[str] = "error"
    """A stable name for programs, the ``error.code`` of JSON documents."""
    exit_code: ClassVar[int] = 1
    """What the command line returns for it."""

    def __init__(self, message: str, *, where: Where | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        """What is wrong, one lowercase statement."""
        self.where = where or Where()
        self.hint = hint
        """What to do about it."""

    def __str__(self) -> str:
        text = self.message
        if where := str(self.where):
            text = f"{text} ({where})"
        return f"{text}; {self.hint}" if self.hint else text

    def as_dict(self) -> dict[str, object]:
        """The ``error`` object of the JSON documents."""
        return {
            "code": self.code,
            "message": str(self),
            "branch": self.where.branch,
            "revision": self.where.revision,
            "distribution": self.where.distribution,
            "version": self.where.version,
            "file": self.where.file,
            "hint": self.hint,
        }


class ConfigurationError(CorehostError):
    """A setting, a configuration file or an argument is wrong."""

    code = "configuration"
    exit_code = 2


class MigrationError(CorehostError):
    """The database could not be brought to what this code needs.

    ``report`` says what this process had applied before, where a pass had begun.
    """

    code = "migration"
    report: MigrationReport | None = None


class PluginError(MigrationError):
    """One plugin, or one branch without a hook, is wrong."""

    code = "plugin"
    exit_code = 2


class DiscoveryError(MigrationError):
    """All that discovery found wrong, told at once."""

    code = "discovery"
    exit_code = 2

    def __init__(self, problems: Sequence[PluginError]):
        self.problems = tuple(problems)
        """Every problem, in the order of the branches' names."""
        first = self.problems[0]
        if len(self.problems) == 1:
            message = str(first)
        else:
            lines = "\n".join(f"  - {problem}" for problem in self.problems)
            message = f"{len(self.problems)} plugins are wrong:\n{lines}"
        super().__init__(message)
        self.where = first.where

    def __str__(self) -> str:
        return self.message


class GraphError(MigrationError):
    """The revisions of the installed branches do not form one graph."""

    code = "graph"
    exit_code = 2


class CycleError(GraphError):
    """Revisions, or plugins, that wait for each other; the message draws the cycle."""

    code = "cycle"


class MissingRevisionError(GraphError):
    """A revision names another one that is not installed."""

    code = "missing_revision"


class AmbiguousRevisionError(GraphError):
    """A name stands for more than one revision; the message names both files."""

    code = "ambiguous_revision"


class RevisionFileError(GraphError):
    """A revision file cannot be read or compiled."""

    code = "revision_file"


class StepFailed(MigrationError):
    """A revision failed; what of it was not committed is rolled back, and the ledger has its error."""

    code = "step_failed"


class PoolerRefused(MigrationError):
    """The connection goes through a transaction pooler, where a session lock locks nothing."""

    code = "pooler"
    exit_code = 2


class IncompatibleDatabase(MigrationError):
    """This code cannot serve this database; trying again does not help."""

    code = "incompatible_database"
    exit_code = 5


class DestructiveStepRefused(IncompatibleDatabase):
    """Something pending drops or narrows data, and ``on_destructive`` is ``refuse``; nothing was run."""

    code = "destructive"


class PresenceImpossible(MigrationError):
    """A connection that cannot show others that an instance is there; the host serves without."""

    code = "presence"


class WaitTimedOut(MigrationError):
    """Nobody made progress for ``wait_timeout``; the message names who holds what, since when."""

    code = "wait_timeout"
    exit_code = 4


class RevisionsPending(MigrationError):
    """Something is pending, and this start only checks (``mode = "check"``)."""

    code = "pending"
    exit_code = 3


class PluginStartFailed(MigrationError):
    """A plugin's ``corehost_startup`` raised or took too long; what was started before it is shut down."""

    code = "plugin_start"


class PassStopped(MigrationError):
    """This process was asked to end; the step that ran has finished, or is rolled back."""

    code = "stopped"
    exit_code = 143


class DatabaseUnavailable(MigrationError):
    """The database cannot be reached, or refuses the connection."""

    code = "database_unavailable"
    exit_code = 6


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """``"did you mean 'x'?"`` for the closest known name, or None where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else None
