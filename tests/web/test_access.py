"""Details for who shows the token only."""

from __future__ import annotations

from pathlib import Path

import pytest

from corehost.core.errors import ConfigurationError
from corehost.core.results import Readiness
from corehost.core.settings import Settings
from corehost.http.access import Access
from corehost.http.answers import Request
from corehost.web.health import Endpoints
from corehost.web.paths import Paths
from support.serving import BlockingHost

TOLD = Readiness(ready=False, state="migrating", branch="billing", revision="a06d3c88e15b", step=1, steps=2)


def test_everybody_may_see_everything_without_a_token() -> None:
    """No setting, no limit."""
    access = Access(Settings())
    assert access.allows(None)
    assert not access.limited


@pytest.mark.parametrize(
    "shown", ["Bearer s3cret", "bearer  s3cret ", "BEARER s3cret", "Basic bWU6czNjcmV0", "basic OnMzY3JldA=="]
)
def test_the_token_opens(shown: str) -> None:
    """As a bearer's, or as a password with any name or none; the scheme is written in any case."""
    assert Access(Settings(health_token="s3cret")).allows(shown)


@pytest.mark.parametrize(
    "shown", [None, "", "s3cret", "Bearer", "Bearer s3cre", "Basic s3cret", "Basic czNjcmV0", "Bearer é"]
)
def test_nothing_else_opens(shown: str | None) -> None:
    """Neither no header, nor another scheme, nor another token."""
    assert not Access(Settings(health_token="s3cret")).allows(shown)


def test_a_token_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is rotated in place counts at once; one that is gone opens to nobody."""
    monkeypatch.setattr("corehost.http.access._REREAD_AFTER", 0.0)
    file = tmp_path / "token"
    file.write_text("first\n")
    access = Access(Settings(health_token_file=str(file)))
    assert access.allows("Bearer first")
    file.write_text("second\n")
    assert access.allows("Bearer second")
    assert not access.allows("Bearer first")
    file.unlink()
    assert not access.allows("Bearer second")
    assert not access.allows(None)


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff"])
def test_a_file_without_a_token_is_wrong_from_the_start(tmp_path: Path, content: str | bytes | None) -> None:
    """A mistake in the deployment is told, and does not leave the details open."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigurationError, match="health_token_file"):
        Access(Settings(health_token_file=str(file)))


@pytest.mark.parametrize("path", ["/health", "/readyz", "/orders"])
def test_who_has_no_token_sees_state_only(path: str) -> None:
    """Endpoints and closed gate tell strangers whether the host is ready, and its state."""
    host = BlockingHost()
    host.settings = Settings(health_token="s3cret")
    endpoints = Endpoints(host, Paths(), readiness=lambda: TOLD)

    def shown(authorization: str | None) -> bytes:
        request = Request(method="GET", path=path, authorization=authorization)
        return (endpoints.answer(request) or endpoints.closed(request)).body

    assert shown(None) == b'{"format_version": "1.0", "ready": false, "state": "migrating"}'
    assert b"a06d3c88e15b" in shown("Bearer s3cret")
