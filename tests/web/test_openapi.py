"""The OpenAPI description is complete; tests/fuzz holds the answers against it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis.strategies import from_regex

from corehost.core.checks import CheckResult
from corehost.core.instances import Instance
from corehost.core.results import Readiness
from corehost.core.rows import Rows
from corehost.http.answers import Request
from corehost.web.health import Endpoints
from corehost.web.openapi import description
from corehost.web.paths import Paths
from support.serving import BlockingHost

WHOLE = Readiness(
    ready=False,
    state="failed",
    branch="billing",
    revision="a06",
    step=1,
    steps=2,
    message="no luck",
    since=datetime(2026, 1, 1, tzinfo=UTC),
    seconds=1.5,
    rows=Rows(done=1, total=2),
    holder=Instance(id=uuid.UUID(int=1), host="web-1", pid=1, state="migrating"),
    checks=(CheckResult(plugin="billing", name="worker", critical=True, status="passing"),),
    plugins={"notes": Readiness(ready=False, state="failed")},
)


@given(method=from_regex(r"[A-Z]{1,12}", fullmatch=True).filter(lambda method: method not in ("GET", "HEAD")))
@settings(max_examples=30, deadline=None, database=None)
def test_no_other_method_is_known(method: str) -> None:
    """What is not described is refused, and the answer says what is not."""
    paths = Paths(metrics="/metrics", openapi="/openapi.json")
    endpoints = Endpoints(BlockingHost(), paths, readiness=lambda: WHOLE)
    for path, described in description(paths)["paths"].items():
        answer = endpoints.answer(Request(method=method, path=path))
        assert answer is not None
        assert answer.status == 405
        assert ("Allow", ", ".join(described).upper()) in answer.headers


def test_every_path_in_use_is_described() -> None:
    """Those that are switched off are not."""
    paths = Paths(health="/up", ready=None, openapi="/openapi.json")
    assert description(paths)["paths"].keys() == {"/up", "/livez", "/openapi.json"}


def test_every_detail_is_described() -> None:
    """A key that the readiness may have is in the schema of both answers."""
    schemas = description(Paths())["components"]["schemas"]
    for name in ("Ready", "NotReady"):
        assert WHOLE.as_dict().keys() == schemas[name]["properties"].keys()
    assert WHOLE.checks[0].as_dict().keys() == schemas["Check"]["properties"].keys()
    assert WHOLE.holder is not None
    assert WHOLE.holder.progress().keys() == schemas["Holder"]["properties"].keys()
