"""What plugins require of each other."""

from __future__ import annotations

import pytest

from corehost.core.requirement import Requirement


@pytest.mark.parametrize(
    ("text", "name", "specifier"),
    [
        ("ant", "ant", ""),
        (" ant ", "ant", ""),
        ("ant>=1.2,<3", "ant", ">=1.2,<3"),
        ("ant ~= 1.2", "ant", "~= 1.2"),
    ],
)
def test_a_requirement_is_a_name_and_sometimes_a_range(text: str, name: str, specifier: str) -> None:
    """As in a distribution's dependencies."""
    requirement = Requirement.parse(text)
    assert (requirement.name, requirement.specifier) == (name, specifier)


@pytest.mark.parametrize(
    "text", ["", ">=1", "Ant", "ant 1.2", "ant>=", "ant[extra]", "ant; python_version > '3'"]
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    """Extras and markers mean nothing between plugins."""
    with pytest.raises(ValueError, match=r".+"):
        Requirement.parse(text)


@pytest.mark.parametrize(
    ("specifier", "version", "fits"),
    [
        ("", "anything", True),
        (">=1.2,<3", "1.2", True),
        (">=1.2,<3", "3.0", False),
        (">=1.2", "2.0rc1", True),
        (">=1.2", "1.2.dev3", False),
        (">=1.2", "1.3+local.1", True),
        (">=1.2", "unknown", False),
    ],
)
def test_a_version_fits_or_not(specifier: str, version: str, fits: bool) -> None:
    """Pre-releases satisfy; a version that cannot be read satisfies no range."""
    assert Requirement(name="ant", specifier=specifier).allows(version) is fits
