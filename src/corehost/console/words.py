"""How states, times and people are told on the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from corehost.console.markup import Markup, join, tag
from corehost.console.picture import icon
from corehost.core.presentable import presentable
from corehost.core.results import LockHolder

_HOLDER: Final = re.compile(r"^corehost (\S+:\d+)(?: since .*)?$")
_HELD: Final = re.compile(
    r"namespace '([^']*)', held by pid \d+ \(corehost (\S+:\d+) since [^)]*\)(?: since [^\s;,]+)?"
)
_LONGEST: Final = 2000


def state(name: str, told: str | None = None) -> Markup:
    """A state as shape and word."""
    shape = tag(
        "svg", icon(name), class_="icon", width=16, height=16, viewBox="0 0 16 16", aria_hidden="true"
    )
    return tag("span", shape, told or name.replace("_", " "), class_="state")


def moment(at: datetime | None) -> Markup | None:
    """A time, to the second, UTC; how long ago that is stands beside it where there is a script."""
    if at is None:
        return None
    there = at.astimezone(UTC)
    today = datetime.now(UTC).date() == there.date()
    return tag("time", f"{there:%H:%M:%S}" if today else f"{there:%Y-%m-%d %H:%M:%S}", datetime=stamp(there))


def stamp(at: datetime) -> str:
    """A time as RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def took(milliseconds: float | None) -> str:
    """How long something took."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def holder(lock: LockHolder) -> str:
    """The process that holds a lock, as ``host:pid`` where it is corehost."""
    found = _HOLDER.match(lock.application_name)
    return found[1] if found else lock.application_name or "somebody"


def waits_for(message: str) -> str:
    """What an instance waits for, without what the page says anyway."""
    return shown(_HELD.sub(r"\1, held by \2", message).removeprefix("waiting for "))


def code(text: str) -> Markup:
    """A revision, or another name that is copied."""
    return tag("code", text)


def codes(names: tuple[str, ...], *, most: int = 4) -> Markup:
    """Several, the first few of many."""
    shown = [part for name in names[:most] for part in (code(name), " ")][:-1]
    return join([*shown, f" and {len(names) - most} more" if len(names) > most else None])


def shown(text: str) -> str:
    """A message without secrets, and not longer than somebody reads."""
    clean = presentable(text)
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
