"""Fixtures of the tests of what runs on Kubernetes."""

from __future__ import annotations

import pytest

from support.deployed import Document, ways


@pytest.fixture(scope="session")
def variants() -> dict[str, list[Document]]:
    """Every way to deploy, by name, as the documents that reach the cluster."""
    return ways()
