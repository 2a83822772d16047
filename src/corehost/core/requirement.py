"""What one plugin requires of another: a name and, sometimes, a range of versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_REQUIREMENT = re.compile(r"\s*([a-z][a-z0-9_]{0,39})\s*(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One entry of ``requires``."""

    name: str
    """The plugin that is required."""
    specifier: str = ""
    """A version specifier as packaging writes it; empty: any version."""

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Parse ``"accounts"`` or ``"accounts>=1.2,<3"``; raises ValueError with the reason."""
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            raise ValueError("does not begin with a plugin's name")
        name, specifier = match[1], match[2].strip()
        if specifier:
            _specifier_set(specifier)
        return cls(name=name, specifier=specifier)

    def allows(self, version: str) -> bool:
        """Whether that version fits; pre-releases satisfy, an unreadable version never does."""
        if not self.specifier:
            return True
        from packaging.version import InvalidVersion, Version  # 40 ms, and seldom needed

        try:
            parsed = Version(version)
        except InvalidVersion:
            return False
        return _specifier_set(self.specifier).contains(parsed, prereleases=True)

    def __str__(self) -> str:
        return self.name + self.specifier


def _specifier_set(text: str) -> SpecifierSet:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is not a version specifier") from None
