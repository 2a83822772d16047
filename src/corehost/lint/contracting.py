"""Which statements take something away from code that runs beside: drop, rename, tighten."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from corehost.core.revision import Node
from corehost.lint.known import (
    Known,
    Table,
    alter_match,
    constraint_match,
    create_match,
    dropped,
    index_match,
    read_column,
)
from corehost.lint.lexed import IDENTIFIER, NAME, bracketed, columns, mentioned, qualified, split, unquoted
from corehost.lint.types import widens

_FLAGS: Final = re.IGNORECASE | re.DOTALL
_ABOUT: Final = re.compile(
    rf"(?:drop\s+(?:table|view|materialized\s+view)\s+(?:if\s+exists\s+)?|insert\s+into\s+|copy\s+|merge\s+into\s+"
    rf"|update\s+(?:only\s+)?|delete\s+from\s+(?:only\s+)?|truncate\s+(?:table\s+)?"
    rf"|comment\s+on\s+(?:table|view)\s+)(?P<name>{NAME})",
    _FLAGS,
)
IsNew = Callable[[Node], bool]
"""Whether what a revision has made is younger than any released code."""


def contracts(
    statement: str, schema: str, known: Known, is_new: IsNew, again: Collection[str]
) -> Iterator[str]:
    """What a statement takes away, one sentence each; ``again`` is what the revision sends behind it."""
    for kind, relation in dropped(statement, schema):
        if not _is_new_relation(known, relation, is_new) and not _is_remade(relation, schema, again):
            yield f"drops {kind} {relation[1]}"
    if index := index_match(statement):
        table = known.tables.get(qualified(index["name"], schema))
        if index["unique"] and not _is_young(table, columns(bracketed(index["rest"])), is_new):
            yield f"allows no equal values any more in {index['name']}"
    elif altered := alter_match(statement):
        relation = qualified(altered["name"], schema)
        table = known.tables.get(relation)
        if table is None or not is_new(table.made_in):
            for action in split(altered["actions"]):
                yield from _action(action, relation[1], table, is_new)
    elif found := re.match(
        rf"(?:truncate(?:\s+table)?|delete\s+from)\s+(?:only\s+)?({NAME})", statement, _FLAGS
    ):
        if not _is_new_relation(known, qualified(found[1], schema), is_new):
            yield f"deletes rows of {unquoted(found[1].rpartition('.')[2])}"
    elif re.match(
        r"alter\s+(?:type|schema|view|materialized\s+view|function|sequence)\b.*\b(?:rename|set\s+schema)\b"
        r"|alter\s+type\b.*\bdrop\s+attribute\b",
        statement,
        _FLAGS,
    ):
        yield "renames or moves what older code knows by its name"
    elif re.match(r"revoke\b", statement, _FLAGS):
        yield "takes rights away"


def changes_existing(statement: str, schema: str, known: Known, is_new: IsNew) -> str | None:
    """The existing table that a statement of DDL locks, or None."""
    if index := index_match(statement):
        name = None if index["concurrently"] else index["name"]
    elif altered := alter_match(statement):
        name = altered["name"]
    elif create_match(statement):
        return None
    else:
        name = next((f'"{r[0]}"."{r[1]}"' for kind, r in dropped(statement, schema) if kind == "table"), None)
    if name is None or _is_new_relation(known, qualified(name, schema), is_new):
        return None
    return qualified(name, schema)[1]


def writes_existing(statement: str, schema: str, known: Known, is_new: IsNew) -> str | None:
    """The existing table whose rows a statement changes, or None."""
    found = re.match(
        rf"(?:with\b.*?\)\s*)?(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|merge\s+into|copy)\s+({NAME})",
        statement,
        _FLAGS,
    )
    if found is None or _is_new_relation(known, qualified(found[1], schema), is_new):
        return None
    return qualified(found[1], schema)[1]


def may_be_old(statement: str, schema: str, known: Known, is_new: IsNew) -> bool:
    """Whether a statement may be about something that released code knows."""
    if create_match(statement):
        return False
    match = index_match(statement) or alter_match(statement) or _ABOUT.match(statement)
    return match is None or not _is_new_relation(known, qualified(match["name"], schema), is_new)


def _action(action: str, name: str, table: Table | None, is_new: IsNew) -> Iterator[str]:
    if re.match(r"rename\s+constraint\b|drop\s+constraint\b|validate\b", action, _FLAGS):
        return
    if re.match(r"rename\s+to\b", action, _FLAGS):
        yield f"renames table {name}"
    elif found := re.match(rf"rename\s+(?:column\s+)?({IDENTIFIER})\s+to\b", action, _FLAGS):
        if not _is_young(table, (unquoted(found[1]),), is_new):
            yield f"renames column {name}.{unquoted(found[1])}"
    elif re.match(r"set\s+schema\b", action, _FLAGS):
        yield f"moves table {name} to another schema"
    elif re.match(r"(?:enable|force)\s+row\s+level\s+security\b", action, _FLAGS):
        yield f"hides rows of {name}"
    elif found := re.match(rf"drop\s+(?:column\s+)?(?:if\s+exists\s+)?({IDENTIFIER})", action, _FLAGS):
        if not _is_young(table, (unquoted(found[1]),), is_new):
            yield f"drops column {name}.{unquoted(found[1])}"
    elif found := re.match(rf"alter\s+(?:column\s+)?({IDENTIFIER})\s+(.*)", action, _FLAGS):
        yield from _column(unquoted(found[1]), found[2], name, table, is_new)
    elif found := re.match(r"add\s+(.*)", action, _FLAGS):
        yield from _addition(found[1], name, table, is_new)


def _column(column: str, action: str, name: str, table: Table | None, is_new: IsNew) -> Iterator[str]:
    known = table.columns.get(column) if table is not None else None
    place = f"{name}.{column}"
    if re.match(r"set\s+not\s+null\b", action, _FLAGS) and not (known and known.has_default):
        yield f"takes no NULL any more in {place}, which has no default"
    elif re.match(r"drop\s+default\b", action, _FLAGS) and (known is None or known.not_null):
        yield f"takes the default of {place} away, which code that does not know the column needs"
    elif found := re.match(r"(?:set\s+data\s+)?type\s+(.*?)(?:\s+using\b.*)?$", action, _FLAGS):
        old = known.type if known is not None else ""
        if not (known and is_new(known.made_in)) and not widens(old, found[1].lower()):
            yield f"changes the type of {place} from {old or 'what it was'} to {found[1]}"


def _addition(text: str, name: str, table: Table | None, is_new: IsNew) -> Iterator[str]:
    if constraint := constraint_match(text):
        rest, kind = constraint["rest"], " ".join(constraint["kind"].lower().split())
        if re.search(r"\busing\s+index\b", rest, _FLAGS):
            return  # what it tightens was tightened by the index
        inside = bracketed(rest)
        if kind in ("check", "exclude"):
            named = mentioned(inside)
            meant = tuple(c for c in (table.columns if table else ()) if c in named)
        else:
            meant = columns(inside)
        if not _is_young(table, meant, is_new):
            yield f"adds a constraint ({kind}) to {name}"
        return
    text = re.sub(r"^column\s+|^if\s+not\s+exists\s+", "", text, flags=_FLAGS)
    text = re.sub(r"^if\s+not\s+exists\s+", "", text, flags=_FLAGS)
    # its own revision does not matter: whether it is required does
    if (found := read_column(text, Node("", ""))) and found[1].not_null and not found[1].has_default:
        yield f"adds the required column {name}.{found[0]}, without a default"


def _is_young(table: Table | None, names: Collection[str], is_new: IsNew) -> bool:
    """Whether all these columns, at least one, are younger than any released code."""
    if table is None:
        return False
    if is_new(table.made_in):
        return True
    found = [table.columns.get(name) for name in names]
    return bool(found) and all(column is not None and is_new(column.made_in) for column in found)


def _is_new_relation(known: Known, relation: tuple[str, str], is_new: IsNew) -> bool:
    if relation in known.tables:
        return is_new(known.tables[relation].made_in)
    return relation in known.others and is_new(known.others[relation])


def _is_remade(relation: tuple[str, str], schema: str, again: Collection[str]) -> bool:
    """Whether the same revision makes it again: a view or a function is replaced so."""
    made = (create_match(statement) for statement in again)
    return any(match is not None and qualified(match["name"], schema) == relation for match in made)
