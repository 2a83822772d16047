"""The health endpoints, and what a gate that is closed says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from corehost.core.presentable import presentable
from corehost.core.results import Readiness
from corehost.http.access import Access
from corehost.http.answers import Answer, Request, json_answer, text_answer, token_wanted, wrong_method
from corehost.telemetry.prometheus import Exposition
from corehost.web.openapi import description
from corehost.web.paths import Paths
from corehost.web.ports import ReportingHost

RETRY_AFTER: Final = "1"
"""What a 503 asks for, in seconds."""


class Endpoints:
    """The health endpoints of one host; they answer from memory and never block.

    ``readiness`` is what they report where that is not the host's own. Where the settings name a token,
    others than who shows it see nothing but whether the host is ready, and its state.
    """

    def __init__(
        self, host: ReportingHost, paths: Paths, *, readiness: Callable[[], Readiness] | None = None
    ):
        self._readiness = readiness or host.readiness
        self._access = Access(host.settings)
        metrics = None if paths.metrics is None else Exposition(host, readiness=self._readiness)
        made: dict[str | None, Callable[[Request], Answer]] = {
            paths.live: lambda _: json_answer(HTTPStatus.OK, {"format_version": "1.0", "live": True}),
            paths.ready: lambda request: self._reported(replace(self._readiness(), checks=()), request),
            paths.health: lambda request: self._reported(self._readiness(), request),
            paths.metrics: lambda request: self._measured(metrics, request),
            paths.openapi: lambda _: json_answer(HTTPStatus.OK, description(paths)),
        }
        self._answers: Mapping[str, Callable[[Request], Answer]] = {
            path: answer for path, answer in made.items() if path is not None
        }

    def answer(self, request: Request) -> Answer | None:
        """The response of an endpoint, or None where the path is not one."""
        make = self._answers.get(request.path)
        if make is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return wrong_method()
        return make(request).to(request.method)

    def closed(self, request: Request) -> Answer:
        """The 503 for whatever is not to reach the application yet."""
        readiness = self._readiness()
        if readiness.ready:  # it became ready a moment ago, after the gate was found closed
            readiness = replace(readiness, ready=False, state="starting")
        return self._reported(readiness, request).to(request.method)

    def _measured(self, metrics: Exposition | None, request: Request) -> Answer:
        """The metrics, which are all details."""
        if metrics is None or not self._access.allows(request.authorization):
            return token_wanted()
        body, kind = metrics.read(request.accept)
        return text_answer(HTTPStatus.OK, body, kind)

    def _reported(self, readiness: Readiness, request: Request) -> Answer:
        if self._access.allows(request.authorization):
            readiness = _presentable(readiness)
        else:
            readiness = Readiness(ready=readiness.ready, state=readiness.state)
        if readiness.ready:
            return json_answer(HTTPStatus.OK, readiness.as_dict())
        return json_answer(HTTPStatus.SERVICE_UNAVAILABLE, readiness.as_dict(), ("Retry-After", RETRY_AFTER))


def _presentable(readiness: Readiness) -> Readiness:
    message = None if readiness.message is None else presentable(readiness.message)
    plugins = {name: _presentable(one) for name, one in readiness.plugins.items()}
    return replace(readiness, message=message, plugins=plugins)
