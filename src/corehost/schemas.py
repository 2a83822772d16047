"""``corehost.schema``: which schema a branch has in the database that this process works on."""

from __future__ import annotations

from collections.abc import Mapping

from corehost.core.errors import ConfigurationError, did_you_mean

_in_effect: dict[str, str] = {}


def use(schemas: Mapping[str, str]) -> None:
    """Make the schemas of a host those in effect; the host that was made last wins."""
    global _in_effect
    _in_effect = dict(schemas)  # replaced whole: other threads read it meanwhile


def schema(branch: str) -> str:
    """The PostgreSQL schema of a plugin, of ``core``, or of ``corehost``.

    In revisions and in application code. Where no host has been made yet in this process, the one
    that the configuration describes is asked. Raises ConfigurationError for a name that is not installed.
    """
    if not _in_effect:
        from corehost.config import load_settings
        from corehost.installation import Installation

        use(Installation(load_settings()).schemas)
    try:
        return _in_effect[branch]
    except KeyError:
        raise ConfigurationError(
            f"there is no branch {branch!r}", hint=did_you_mean(branch, _in_effect)
        ) from None
