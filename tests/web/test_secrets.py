"""Nothing secret is in any answer, whatever a plugin puts into its errors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis.strategies import composite, sampled_from, text

from corehost.core.results import Readiness
from corehost.http.answers import Request
from corehost.web.health import Endpoints
from corehost.web.paths import Paths
from support.serving import BlockingHost

SECRET = "hunter2"
FORMS = (
    "postgresql://me:{}@db:5432/shop",
    "postgresql+psycopg://me:{}@db/shop?sslmode=require",
    "redis://:{}@cache/0",
    "amqp://me:{}@mq//",
    "https://me:{}@example.org/path",
    "host=db user=me password={} dbname=shop",
    "host=db password='{} x' dbname=shop",
    "PGPASSWORD={}",
    "password: {}",
    '{{"password": "{}"}}',
    "Authorization: Bearer {}",
    "api_key={}",
    "secret_token={}",
    "Traceback (most recent call last):\n  File \"x.py\", line 1\n    connect('{}')\nValueError: no",
)


@composite
def messages(draw):  # type: ignore[no-untyped-def]
    """A message with a secret in one of the forms in which libraries print them."""
    words = text("abc def'\"(),.;:\n", max_size=30)
    return f"{draw(words)} {draw(sampled_from(FORMS)).format(SECRET)} {draw(words)}"


@given(messages())
@settings(max_examples=300, deadline=None, database=None)
def test_no_answer_has_a_secret(message: str) -> None:
    """Neither readiness nor a closed gate shows a password, a connection string or a traceback."""
    failed = Readiness(ready=False, state="failed", message=message)
    endpoints = Endpoints(BlockingHost(), Paths(), readiness=lambda: failed)
    for path in ("/health", "/readyz", "/orders"):
        request = Request(method="GET", path=path)
        body = (endpoints.answer(request) or endpoints.closed(request)).body.decode()
        assert SECRET not in body
        assert "Traceback" not in body
