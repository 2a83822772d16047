"""One call of one command: what it was given, and what it has to report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from corehost.cli import output

if TYPE_CHECKING:
    from corehost.core.settings import Settings
    from corehost.host import Host
    from corehost.installation import Installation
    from corehost.postgres.connect import Connection, Connector


class Invocation:
    """What a command works with; each part is loaded when it is first asked for."""

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        database_url: str | None,
        config: str | None,
        as_json: bool,
        quiet: bool,
    ):
        self.document = dict(document)
        """The JSON document; filled in as things become known, so that a failure can report them."""
        self.as_json = as_json
        self.quiet = quiet
        self._database_url = database_url
        self._config = config

    @cached_property
    def settings(self) -> Settings:
        """The settings in effect. Raises ConfigurationError."""
        from corehost.config import load_settings

        settings = load_settings(config=self._config, overrides={"database_url": self._database_url})
        self._note("config_file", settings.config_file)
        return settings

    @cached_property
    def installation(self) -> Installation:
        """What is installed. Raises ConfigurationError, DiscoveryError, GraphError."""
        from corehost.installation import Installation

        installation = Installation(self.settings)
        self._note(
            "skipped",
            [
                {
                    "plugin": skipped.plugin,
                    "distribution": skipped.origin.distribution,
                    "version": skipped.origin.version,
                    "reason": skipped.reason,
                }
                for skipped in installation.skipped
            ],
        )
        return installation

    @cached_property
    def connector(self) -> Connector:
        """Opens connections."""
        from corehost.postgres.connect import Connector

        return Connector(self.settings)

    @cached_property
    def host(self) -> Host:
        """The whole host, for what needs its hooks."""
        from corehost.host import Host

        return Host(self.settings)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to look through. Raises DatabaseUnavailable, while it is used too."""
        from corehost.postgres.connect import translated_errors

        with translated_errors(), self.connector.open() as connection:
            yield connection

    def report(self, text: str) -> None:
        """Write what was asked for to standard output; in JSON mode the document says it."""
        if not self.as_json:
            output.write(text)

    def remark(self, text: str) -> None:
        """Write a line that ``-q`` leaves out."""
        if not self.quiet:
            self.report(f"{text}\n")

    def _note(self, key: str, value: object) -> None:
        if key in self.document:
            self.document[key] = value
