"""Folders that look like PostgreSQL's server programs, as far as finding them goes."""

from __future__ import annotations

from pathlib import Path


def fake_bindir(bindir: Path, version: str) -> Path:
    """Write a ``postgres`` that tells that version, and an ``initdb``; returns the folder."""
    bindir.mkdir(parents=True)
    for program in ("postgres", "initdb"):
        (bindir / program).write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n")
        (bindir / program).chmod(0o755)
    return bindir
