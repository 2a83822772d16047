"""What all tests of deploys need."""

from __future__ import annotations

from support.releases import deploy

__all__ = ["deploy"]
