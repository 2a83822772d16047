"""The course of the demo: a server, three phases, and what came of them."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path

from corehost.core.errors import ConfigurationError
from corehost.core.namespace import LEDGER
from corehost.core.settings import Settings
from corehost.demo.fleet import Fleet, environment
from corehost.demo.newer import DISTRIBUTION, PLUGIN, write_newer_version
from corehost.demo.phase import Phase, check
from corehost.demo.report import EXPLANATION, Told, history, summary
from corehost.demo.screen import Screen
from corehost.embedded import LocalPostgres
from corehost.host import Host
from corehost.installation import Installation
from corehost.postgres.ledger import read_history


def tell(screen: Screen, *, instances: int, keep: bool) -> None:
    """Run the demo from its beginning to its end.

    Raises ConfigurationError where the example plugins or the server programs are missing, DemoFailed where
    something did not go as it should, DiscoveryError or GraphError where an installed plugin is wrong.
    """
    installation = with_examples(Settings(allow_empty=True))
    _compile()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corehost-demo-")))
        server = stack.enter_context(_local_server())
        screen.say(f"PostgreSQL {server.server_version} in a temporary folder, and {_plugins(installation)}")
        story = _Story(screen, server.url(), folder, instances)
        story.phase("empty database", f"{instances} instances on an empty database")
        story.phase("nothing to do", f"{instances} again, with nothing to do")
        newer = folder / "newer"
        newer.mkdir()
        version = write_newer_version(installation.graph.trees[PLUGIN], newer)
        story.phase(
            f"{PLUGIN} {version}",
            f"{instances} with {PLUGIN} {version}, which has one more revision",
            newer=newer,
        )
        screen.table(history(story.told))
        screen.table(summary(story.told))
        screen.say(f"\n{EXPLANATION}")
        if keep:
            _stay(screen, server.url())


def with_examples(settings: Settings) -> Installation:
    """What is installed; raises ConfigurationError where the example plugins are not."""
    installation = Installation(settings)
    tree = installation.graph.trees.get(PLUGIN)
    if tree is None or tree.branch.origin.distribution != DISTRIBUTION:
        raise ConfigurationError(
            f"the example plugins are not installed here ({DISTRIBUTION} is missing)",
            hint="run 'nox -s demo', or from a clone 'python -m pip install ./example_plugins/*'",
        )
    return installation


class _Story:
    def __init__(self, screen: Screen, url: str, folder: Path, instances: int):
        self.told: list[Told] = []
        self._screen = screen
        self._host = Host(Settings(database_url=url))
        self._url = url
        self._folder = folder
        self._instances = instances
        self._recorded = 0

    def phase(self, name: str, title: str, *, newer: Path | None = None) -> None:
        number = len(self.told) + 1
        # the newer version is not installed here, so that the plan knows nothing of its revision
        steps = len(self._host.plan().steps) + (newer is not None)
        fleet = Fleet(
            self._instances,
            environment=environment(self._url, first=newer),
            folder=self._folder / f"phase-{number}",
        )
        with self._screen.phase(f"{number}  {title}") as view, fleet:
            outcome = Phase(fleet, steps=steps, view=view).run()
        with self._host.connector.open() as connection:
            entries = read_history(connection, limit=10_000)[self._recorded :]
        self._recorded += len(entries)
        check(outcome, entries, steps=steps)
        self.told.append(
            Told(name=name, number=number, outcome=outcome, entries=entries, instances=fleet.numbers)
        )


def _compile() -> None:
    """Import what an instance that works imports.

    A new environment has no bytecode yet: all instances would compile the same modules at the same time.
    """
    for name in (
        "corehost.demo.instance",
        "corehost.alembic.runner",
        "sqlalchemy.dialects.postgresql.psycopg",
    ):
        import_module(name)


@contextmanager
def _local_server() -> Iterator[LocalPostgres]:
    """A PostgreSQL that is gone when the block is left, not only soon after."""
    server = LocalPostgres().start()
    supervisor = server.supervisor_pid
    try:
        yield server
    finally:
        server.stop()
        deadline = time.monotonic() + 30
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.kill(supervisor, 0)
                time.sleep(0.02)


def _plugins(installation: Installation) -> str:
    trees = installation.graph.trees
    return ", ".join(
        f"{name} {trees[name].branch.origin.version or ''}".rstrip()
        for name in sorted(trees)
        if name != LEDGER
    )


def _stay(screen: Screen, url: str) -> None:
    screen.say("\nThe database stays up until Ctrl-C. To look at it from another terminal:")
    screen.verbatim(f"corehost status --database-url '{url}'")
    screen.verbatim(f"psql '{url}'")
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt as request:
        # SIGTERM comes as one too, and is no part of the demo
        if getattr(request, "signal", signal.SIGINT) != signal.SIGINT:
            raise
