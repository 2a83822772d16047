"""The endpoints are what their OpenAPI description says, whatever is sent to them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import characters, dictionaries, just, one_of, sampled_from, text
from schemathesis.checks import not_a_server_error

from corehost.core.checks import CheckResult
from corehost.core.instances import Instance
from corehost.core.results import Readiness
from corehost.core.rows import Rows
from corehost.core.settings import Settings
from corehost.web.server import HealthServer
from support.serving import BlockingHost

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
STATES: Final = {
    "migrating": Readiness(
        ready=False,
        state="migrating",
        branch="billing",
        revision="a06",
        step=1,
        steps=2,
        since=NOW,
        seconds=1.5,
        rows=Rows(done=1, total=2),
    ),
    "failed": Readiness(ready=False, state="failed", message="no luck with postgresql://me:pw@db/shop"),
    "waiting": Readiness(
        ready=False,
        state="waiting",
        message="waiting for namespace 'billing'",
        holder=Instance(id=uuid.UUID(int=1), host="web-1", pid=1, state="migrating"),
    ),
    "ready": Readiness(
        ready=True,
        state="ready",
        since=NOW,
        checks=(
            CheckResult(plugin="billing", name="renderer", critical=True, status="pending"),
            CheckResult(
                plugin="notes", name="mail", critical=False, status="failing", message="no", checked_at=NOW
            ),
        ),
        plugins={"notes": Readiness(ready=False, state="failed")},
    ),
    "degraded": Readiness(ready=True, state="degraded", since=NOW),
}

PRINTABLE: Final = text(characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
HEADERS: Final = dictionaries(
    sampled_from(["Authorization", "Accept", "X-Forwarded-For", "Cookie"]),
    one_of(just("Bearer s3cret"), just("application/openmetrics-text"), PRINTABLE),
)
QUERIES: Final = dictionaries(text(max_size=5), text(max_size=20), max_size=2)


@pytest.fixture(params=STATES)
def schema(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The description as a health server in some state gives it, with a token set."""
    host = BlockingHost()
    host.settings = Settings(health_token="s3cret")
    host.readiness = lambda: STATES[request.param]  # type: ignore[method-assign]
    with HealthServer(
        host, port=0, address="127.0.0.1", metrics="/metrics", openapi="/openapi.json"
    ) as server:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")


def test_answers_are_as_described(schema: Any) -> None:
    """Status, headers and body of every answer conform, whatever headers and query come with the request."""
    operations = [result.ok() for result in schema.get_all_operations()]

    @given(case=one_of([operation.as_strategy() for operation in operations]), headers=HEADERS, query=QUERIES)
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def asked(case: schemathesis.Case, headers: dict[str, str], query: dict[str, str]) -> None:
        case.query = query
        case.call_and_validate(headers=headers, excluded_checks=[not_a_server_error])  # a 503 is described

    asked()
