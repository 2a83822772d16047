"""Under which paths a host shows what."""

from __future__ import annotations

import pytest

from corehost.core.errors import ConfigurationError
from corehost.web.paths import Paths


@pytest.mark.parametrize("name", ["health", "ready", "live", "metrics", "openapi"])
def test_a_path_begins_with_a_slash(name: str) -> None:
    """Any other could never be asked for."""
    with pytest.raises(ConfigurationError, match=f"{name}: the path 'x' does not begin with a slash"):
        Paths(**{name: "x"})


def test_a_path_means_one_thing() -> None:
    """Liveness under the path of readiness would restart an instance that waits."""
    with pytest.raises(ConfigurationError, match="live and ready have the same path '/readyz'"):
        Paths(live="/readyz")


def test_health_and_ready_may_be_one() -> None:
    """They answer the same question."""
    assert Paths(health="/up", ready="/up", live=None).health == "/up"
