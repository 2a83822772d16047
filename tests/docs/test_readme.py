"""The README's code blocks, run as a reader would: its plugin, its settings, its commands, in its order."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from corehost.config import load_settings
from support.packages import create_table, revision_source, write_plugin
from support.processes import Processes

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (invoicing/\S+\.py)\n")
_EXIT = re.compile(r"# exit (\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tour:
    """The README's plugin, installed, and the folder with its settings."""

    site: Path
    """The folder for ``PYTHONPATH``."""
    folder: Path
    """The working folder, with the README's settings in its ``pyproject.toml``."""


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language, in their order."""
    return [text for name, text in _FENCE.findall(README.read_text()) if name == language]


def plugin_files() -> dict[str, str]:
    """The Python blocks that begin with a file's name, by path inside the package."""
    named = ((_FILE.match(text), text) for text in blocks("python"))
    return {match[1].removeprefix("invoicing/"): text for match, text in named if match}


def scripts() -> list[str]:
    """The Python blocks that are the host application's."""
    return [text for text in blocks("python") if not _FILE.match(text)]


def entry_points() -> dict[str, dict[str, str]]:
    """What the TOML block of the plugin's packaging declares."""
    (text,) = (text for text in blocks("toml") if "[project.entry-points" in text)
    return tomllib.loads(text)["project"]["entry-points"]


def settings() -> str:
    """The TOML block of the host's settings."""
    (text,) = (text for text in blocks("toml") if "[tool.corehost]" in text)
    return text


def commands(program: str, *files: Path) -> list[str]:
    """The lines of console blocks that call a program, without the prompt."""
    texts = (text for file in files or (README,) for name, text in _FENCE.findall(file.read_text()))
    lines = (line.removeprefix("$ ") for text in texts for line in text.splitlines())
    return [line for line in lines if line.split()[:1] == [program]]


@pytest.fixture
def tour(site: Path, tmp_path: Path) -> Tour:
    """The README's plugin beside the installed examples, a package to mount, and the settings."""
    write_plugin(site, "invoicing", files=plugin_files(), entry_points=entry_points())
    revision = revision_source("0001", upgrade=create_table("entries"))
    write_plugin(site, "guestbook", files={"db/migrations/versions/0001.py": revision})
    (tmp_path / "pyproject.toml").write_text(settings())
    return Tour(site=site, folder=tmp_path)


def test_every_block_is_of_a_kind_that_is_run() -> None:
    """No code block escapes these tests by its language, its program, or by being one too many."""
    assert {name for name, _ in _FENCE.findall(README.read_text())} == {"console", "python", "toml"}
    lines = [line for text in blocks("console") for line in text.splitlines()]
    assert {line.split()[:2][-1] for line in lines} == {"corehost", "nox", "python3"}
    assert all(line.startswith("$ ") for line in lines)
    assert len(blocks("toml")) == 2
    assert set(plugin_files()) == {
        "corehost_plugin.py",
        "migrations/versions/5d1f0a7c93be_create_reminders.py",
    }


def test_named_sessions_exist() -> None:
    """Every nox session that README or CONTRIBUTING tell to run is in the noxfile."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    told = [shlex.split(line) for line in commands("nox", README, ROOT / "CONTRIBUTING.md")]
    named = {name for words in told if "-s" in words for name in words[2 : (*words, "--").index("--")]}
    assert named
    assert named <= sessions


def test_links_lead_somewhere() -> None:
    """Every relative link of README, CONTRIBUTING and CHANGELOG names a file that is there."""
    for file in (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text())
        assert [target for target in targets if not (ROOT / target).exists()] == []


def test_settings_are_accepted(tmp_path: Path) -> None:
    """The settings block loads, and says what the text around it says."""
    (tmp_path / "pyproject.toml").write_text(settings())
    loaded = load_settings(cwd=tmp_path, environ={})
    assert loaded.disabled == ("search",)
    assert set(loaded.mounts) == {"guestbook"}


def test_operator_commands_run(processes: Processes, tour: Tour, database: str) -> None:
    """The commands, given one after the other on an empty database, end with the codes they announce."""
    for line in commands("corehost"):
        expected = match[1] if (match := _EXIT.search(line)) else "0"
        arguments = shlex.split(line, comments=True)[1:]
        finished = processes.run(*arguments, database=database, path=[tour.site], cwd=tour.folder)
        assert finished.returncode == int(expected), f"{line}\n{finished.stdout}\n{finished.stderr}"
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT to_regclass('invoicing.reminders'), to_regclass('guestbook.entries')"
        )
        assert None not in (row.fetchone() or (None,))


@pytest.mark.parametrize("script", scripts())
def test_host_blocks_run(processes: Processes, tour: Tour, database: str, script: str) -> None:
    """Each Python block of the host application runs as it stands."""
    finished = processes.python(script, database=database, path=[tour.site], cwd=tour.folder).wait()
    assert finished.returncode == 0, finished.stderr
