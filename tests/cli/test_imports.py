"""What the commands load, and from where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from corehost.cli.application import COMMANDS, corehost
from support.ledger import REVISIONS
from support.packages import create_table, revision_source
from support.shop import Shop

LOADED = """\
import sys
from corehost.cli import main
code = main(sys.argv[1:])
print(code, *sorted(sys.modules.keys() & {'alembic', 'rich', 'sqlalchemy', 'psycopg', 'pluggy'}))
"""


def loaded(shop: Shop, *arguments: str) -> tuple[int, set[str]]:
    """A command's exit code, and which of the heavier packages it has loaded."""
    code, *modules = shop.python(LOADED, *arguments).stdout.splitlines()[-1].split()
    return int(code), set(modules)


def test_check_loads_neither_alembic_nor_sqlalchemy_nor_rich(shop: Shop) -> None:
    """The lock-free look needs the driver and the hooks only, whether anything is pending or not."""
    shop.install("orders")
    assert loaded(shop, "check") == (3, {"psycopg", "pluggy"})
    shop.run("migrate")
    assert loaded(shop, "check") == (0, {"psycopg", "pluggy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["migrate", "--help"], ["nonsense"]])
def test_help_loads_nothing(shop: Shop, arguments: list[str]) -> None:
    """Help, version and a usage error load no package but click."""
    assert loaded(shop, *arguments)[1] == set()


def test_a_pass_with_nothing_to_do_loads_neither_alembic_nor_sqlalchemy(shop: Shop) -> None:
    """Alembic is loaded by a pass that has something to do."""
    shop.install("orders")
    shop.run("migrate")
    assert loaded(shop, "migrate") == (0, {"psycopg", "pluggy"})


@pytest.mark.parametrize("name", COMMANDS)
def test_list_of_commands(name: str) -> None:
    """Each listed command is there under its own name, and its help begins with the list's verb."""
    command = corehost.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name
    assert command.help is not None
    assert command.help.split()[0] == COMMANDS[name][1].split()[0]


@pytest.mark.parametrize("program", ["script", "module"])
def test_modules_in_the_working_folder(shop: Shop, program: str) -> None:
    """A host that is not installed is found in the working folder, by the script as by python -m."""
    versions = shop.folder / "shop" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions.parents[1] / "__init__.py").touch()
    (versions / "c1.py").write_text(revision_source("c1", upgrade=create_table("things")))
    (shop.folder / "corehost.toml").write_text("core = 'shop:migrations'\n")
    script = shop.site / "bin" / "corehost"
    script.parent.mkdir()
    script.write_text("import sys\nfrom corehost.cli import main\nsys.exit(main())\n")
    command: list[str | Path] = (
        [sys.executable, script] if program == "script" else [sys.executable, "-m", "corehost"]
    )
    finished = shop.run("plan", "--json", program=command)
    assert finished.returncode == 0, finished.stderr
    assert [step["branch"] for step in finished.json()["steps"]] == ["corehost"] * len(REVISIONS) + ["core"]
