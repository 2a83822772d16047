"""Installed distributions whose metadata is not what it should be."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.finding import PLUGINS, Install, find, names, row, survey


def break_entry_points_with_bytes(info: Path) -> None:
    (info / "entry_points.txt").write_bytes(b"\xff\xfe\x00garbage")


def break_entry_points_with_text(info: Path) -> None:
    (info / "entry_points.txt").write_text(f"[{PLUGINS}]\nthis line says nothing\n")


def break_metadata_with_bytes(info: Path) -> None:
    (info / "METADATA").write_bytes(b"\x80\x81\x82")


def remove_metadata(info: Path) -> None:
    (info / "METADATA").unlink()


def remove_everything(info: Path) -> None:
    shutil.rmtree(info)
    info.mkdir()


def become_a_file(info: Path) -> None:
    shutil.rmtree(info)
    info.write_bytes(b"\x80\x81\x82")


@pytest.mark.parametrize(
    "damage",
    [
        break_entry_points_with_bytes,
        break_entry_points_with_text,
        break_metadata_with_bytes,
        remove_metadata,
        remove_everything,
        become_a_file,
    ],
)
def test_a_broken_distribution_takes_no_other_down(
    install: Install, site: Path, damage: Callable[[Path], None]
) -> None:
    """Whatever one distribution's metadata looks like, the plugins of others are found."""
    install("ant")
    install("zebra")
    install("broken")
    damage(site / "broken-1.0.dist-info")
    assert {"ant", "zebra"} <= set(names(find()))


@pytest.mark.parametrize("damage", [break_entry_points_with_bytes, break_entry_points_with_text])
def test_entry_points_that_cannot_be_read_are_logged(
    install: Install, site: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """Somebody may miss a plugin of that distribution."""
    install("ant")
    install("broken")
    damage(site / "broken-1.0.dist-info")
    with caplog.at_level(logging.WARNING, "corehost"):
        assert names(find()) == ["ant"]
    assert f"the list of entry points of {site / 'broken-1.0.dist-info'} cannot be read" in caplog.text


@pytest.mark.parametrize("damage", [break_metadata_with_bytes, remove_metadata])
def test_a_plugin_without_metadata_is_called_as_its_folder_is(
    install: Install, site: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    """Its entry points are enough to find it; name and version come from the folder's name."""
    install("zebra", version="2.0", distribution="acme-zebra")
    damage(site / "acme_zebra-2.0.dist-info")
    with caplog.at_level(logging.WARNING, "corehost"):
        origin = row(find(), "zebra").origin
    assert (origin.distribution, origin.version) == ("acme_zebra", "2.0")
    assert "the metadata of" in caplog.text


def test_what_an_interrupted_uninstall_left_behind_counts_for_nothing(install: Install, site: Path) -> None:
    """pip renames what it removes to a name that begins with a tilde, and may be stopped there."""
    install("zebra")
    shutil.copytree(site / "zebra-1.0.dist-info", site / "~ebra-0.9.dist-info")
    assert names(find()) == ["zebra"]


def test_an_empty_metadata_folder_hides_no_valid_one(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """An install that failed, earlier on the path, leaves an empty folder with the same name."""
    install("zebra")
    first = tmp_path / "first"
    (first / "zebra-2.0.dist-info").mkdir(parents=True)
    on_path(first)
    assert row(find(), "zebra").origin.version == "1.0"


def test_of_two_versions_in_one_folder_the_newer_counts(install: Install, site: Path) -> None:
    """An upgrade that was interrupted leaves two, and the file system gives them in any order."""
    install("zebra", version="10.0")
    for version in ("9.0", "11.0rc1", "2.0"):
        info = site / f"zebra-{version}.dist-info"
        shutil.copytree(site / "zebra-10.0.dist-info", info)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: zebra\nVersion: {version}\n")
    assert row(find(), "zebra").origin.version == "11.0rc1"


def test_egg_info_beside_dist_info_is_the_same_distribution(install: Install, site: Path) -> None:
    """Old tools leave an egg-info; the plugin is found once, with the version of the dist-info."""
    install("zebra")
    egg = site / "zebra-3.0-py3.11.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: zebra\nVersion: 3.0\n")
    shutil.copy(site / "zebra-1.0.dist-info" / "entry_points.txt", egg)
    assert row(find(), "zebra").origin.version == "1.0"


def test_a_plugin_in_an_egg_info_alone_is_found(install: Install, site: Path) -> None:
    """`setup.py develop` and distributions' own packages have no dist-info."""
    install("zebra")
    info = site / "zebra-1.0.dist-info"
    (info / "METADATA").rename(info / "PKG-INFO")
    info.rename(site / "zebra.egg-info")
    origin = row(find(), "zebra").origin
    assert (origin.distribution, origin.version) == ("zebra", "1.0")


def test_names_that_differ_in_spelling_are_one_distribution(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """Acme.Zebra and acme-zebra are one name to package indexes."""
    install("zebra", distribution="acme-zebra")
    first = tmp_path / "first"
    first.mkdir()
    on_path(first)
    install("zebra", distribution="Acme.Zebra", version="2.0", site=first)
    assert row(survey(), "zebra").origin.version == "2.0"


def test_a_newer_version_without_the_plugin_hides_the_older_one(
    install: Install, tmp_path: Path, on_path: Callable[[Path], None]
) -> None:
    """What counts is the distribution that is imported, even if it is no plugin any more."""
    install("zebra")
    install("ant")
    first = tmp_path / "first"
    first.mkdir()
    on_path(first)
    install("zebra", version="2.0", entry_points={"console_scripts": {"x": "y:z"}}, site=first)
    assert names(find()) == ["ant"]
