"""What is seen in revision files, as findings with the keys that a mount needs because of it: pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from corehost.core.namespace import schema_problem
from corehost.doctor.model import Finding, Severity
from corehost.doctor.sights import Sight

_HOOK: Final = '# hooks = ["your_host.corehost_hooks"]  # at the top level: with corehost_migration_context'

_PLAIN: Final[Mapping[str, tuple[Severity, str]]] = {
    "public-in-sql": ("warning", "SQL text names public.: what it means may be in the branch's own schema"),
    "own-engine": (
        "warning",
        "opens an engine of its own ({what}): what that does is outside the step's transaction, and may "
        "wait for the step for ever",
    ),
    "commits": (
        "warning",
        "commits by itself ({what}): a crash in its middle leaves the step in doubt, for `corehost resolve`",
    ),
    "own-transaction": (
        "info",
        "{what} runs outside the step's transaction: a crash in its middle leaves the step in doubt",
    ),
    "makes-schema": ("warning", "makes the schema {what!r} itself"),
    "application-context": (
        "warning",
        "needs the application's context ({what}): supply it by the hook corehost_migration_context",
    ),
}


def needs(seen: Iterable[Sight]) -> Iterator[Finding]:
    """One finding for each kind of thing and each name, at the first place that shows it."""
    places: dict[tuple[str, str], list[Sight]] = {}
    for sight in seen:
        places.setdefault((sight.code, sight.what), []).append(sight)
    schemas = frozenset(what for code, what in places if code == "schema-literal")
    made = frozenset(what for code, what in places if code == "makes-schema")
    for (code, what), sighted in places.items():
        if code == "schema-literal":
            keys = {"schema": what} if _fits(what, schemas, made) else {}
            yield _finding(sighted, *_schema(what, keys), keys=keys)
        elif code in _PLAIN:
            severity, text = _PLAIN[code]
            proposal = _HOOK if code == "application-context" else None
            yield _finding(sighted, severity, text.format(what=what), proposal=proposal)
        else:
            yield _finding(sighted, *_ASKED[code](what))
    yield from _extensions(places)
    yield from _table(places, "x-argument", "x_arguments")
    yield from _table(places, "option", "options")


def _fits(schema: str, schemas: frozenset[str], made: frozenset[str]) -> bool:
    """Whether the branch may live in the only schema that its files name."""
    return len(schemas) == 1 and schema != "public" and schema not in made and not schema_problem(schema)


def _schema(what: str, keys: Mapping[str, Any]) -> tuple[Severity, str]:
    if keys:
        return "warning", f"schema={what!r} is written into the files: give the branch that schema"
    return "warning", f"schema={what!r} is written into the files: that is where they work, not in the branch's"


_ASKED: Final[Mapping[str, Callable[[str], tuple[Severity, str]]]] = {
    "extension": lambda what: (
        "info",
        f"makes the extension {what!r}: named in extensions, it is there before the first step",
    ),
    "x-argument": lambda what: (
        "warning",
        f"asks context.get_x_argument for {what or 'something'!r}: give it in x_arguments",
    ),
    "option": lambda what: (
        "warning",
        f"asks Alembic's configuration for {what or 'something'!r}: give it in options",
    ),
}


def _extensions(places: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    names = [what for code, what in places if code == "extension" and what != "x"]
    if names:
        message = f"extensions: {', '.join(sorted(names))}"
        yield Finding(severity="info", code="extensions", message=message, keys={"extensions": sorted(names)})


def _table(places: Iterable[tuple[str, str]], code: str, key: str) -> Iterator[Finding]:
    names = sorted({what or "name" for found, what in places if found == code})
    if names:
        table = ", ".join(f'{json.dumps(name, ensure_ascii=False)} = "…"' for name in names)
        message = f"{key} is to hold {', '.join(names)}"
        yield Finding(severity="info", code=f"{code}s", message=message, proposal=f"# {key} = {{ {table} }}")


def _finding(
    sighted: Sequence[Sight],
    severity: Severity,
    message: str,
    *,
    keys: Mapping[str, Any] | None = None,
    proposal: str | None = None,
) -> Finding:
    first = sighted[0]
    more = len({sight.file for sight in sighted}) - 1
    if more:
        message += f" (and in {more} more {'file' if more == 1 else 'files'})"
    return Finding(
        severity=severity,
        code=first.code,
        message=message,
        file=first.file,
        line=first.line,
        keys=keys or {},
        proposal=proposal,
    )
