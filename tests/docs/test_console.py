"""The page about the console: its pictures are there, its code runs, its figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corehost.cli.commands.console import console
from corehost.console import asgi, events, server
from support.processes import Processes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "console.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_pictures_are_there_and_small() -> None:
    """Every picture that the page shows is a PNG of less than 150 KB."""
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert len(names) == 3
    for name in names:
        content = (ROOT / "docs" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 150_000


@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_runs(processes: Processes, database: str, block: str) -> None:
    """Each Python block runs as it stands."""
    finished = processes.python(block, database=database).wait()
    assert finished.returncode == 0, finished.stderr


def test_the_command_has_the_options() -> None:
    """The options that the page uses are those of the command, with the defaults that it shows."""
    line = next(line for line in PAGE.splitlines() if line.startswith("$ corehost console --"))
    given = dict(re.findall(r"(--\w+) (\S+)", line))
    defaults = {option.opts[0]: str(option.default) for option in console.params if option.opts[0] in given}
    assert defaults == given


def test_the_figures_are_those_of_the_code() -> None:
    """How many readers are kept, how long a stream lasts, and how often a browser asks, as the page says."""
    assert PAGE.count("for 20 readers at most") == 2
    assert asgi._STREAMS == server._STREAMS == 20
    assert (events._LIFE * 0.8, events._LIFE) == (16, 20)
    assert "A stream ends after 16 to 20 seconds" in PAGE
    assert events._POLL == 2000
    assert "asks again every two seconds" in PAGE
