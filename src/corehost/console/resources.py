"""The files of the page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def resource(name: str) -> bytes:
    """A file that lies beside this module."""
    return files(__package__).joinpath(name).read_bytes()
