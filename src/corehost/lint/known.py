"""The tables that the revisions before have made, as far as their SQL tells: names, columns, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from corehost.core.revision import Node
from corehost.lint.lexed import (
    IDENTIFIER,
    NAME,
    bracketed,
    columns,
    qualified,
    split,
    unquoted,
)

_FLAGS: Final = re.IGNORECASE | re.DOTALL
Relation = tuple[str, str]
"""Schema and name."""

_CREATE: Final = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:global\s+|local\s+)?(?:temp(?:orary)?\s+|unlogged\s+|recursive\s+|foreign\s+)*"
    r"(?P<kind>table|materialized\s+view|view|type|domain|sequence|function|procedure|schema)\s+"
    rf"(?:if\s+not\s+exists\s+)?(?P<name>{NAME})",
    _FLAGS,
)
_INDEX: Final = re.compile(
    rf"create\s+(?P<unique>unique\s+)?index\s+(?P<concurrently>concurrently\s+)?(?:if\s+not\s+exists\s+)?"
    rf"(?:{IDENTIFIER}\s+)?on\s+(?:only\s+)?(?P<name>{NAME})\s*(?:using\s+\w+\s*)?(?P<rest>\(.*)",
    _FLAGS,
)
_ALTER: Final = re.compile(
    rf"alter\s+(?:foreign\s+)?table\s+(?:if\s+exists\s+)?(?:only\s+)?(?P<name>{NAME})\s*\*?\s+(?P<actions>.*)",
    _FLAGS,
)
_CONSTRAINT: Final = re.compile(
    rf"(?:constraint\s+{IDENTIFIER}\s+)?(?P<kind>primary\s+key|unique|check|foreign\s+key|exclude)\b(?P<rest>.*)",
    _FLAGS,
)
_COLUMN: Final = re.compile(rf"(?P<name>{IDENTIFIER})\s+(?P<rest>.*)", _FLAGS)
_TYPE_END: Final = re.compile(
    r"\s(?:not\s+null|null|default|primary\s+key|unique|references|check|generated|constraint|collate)\b.*",
    _FLAGS,
)
_NOT_NULL: Final = re.compile(r"\bnot\s+null\b|\bprimary\s+key\b", _FLAGS)
_DEFAULT: Final = re.compile(r"\bdefault\b|\bgenerated\b|\b(?:small|big)?serial\b", _FLAGS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column, as it is after the statements so far."""

    made_in: Node
    type: str = ""
    not_null: bool = False
    has_default: bool = False


@dataclass(kw_only=True, slots=True)
class Table:
    """One table, as it is after the statements so far."""

    made_in: Node
    columns: dict[str, Column] = field(default_factory=dict)
    keys: set[tuple[str, ...]] = field(default_factory=set)
    """The columns of its primary key and of its unique indexes."""


def create_match(statement: str) -> re.Match[str] | None:
    """A statement that makes a relation, type, function or schema: ``kind`` and ``name``."""
    return _CREATE.match(statement)


def index_match(statement: str) -> re.Match[str] | None:
    """A CREATE INDEX: ``unique``, ``concurrently``, ``name`` of the table, ``rest``."""
    return _INDEX.match(statement)


def alter_match(statement: str) -> re.Match[str] | None:
    """An ALTER TABLE: ``name`` and ``actions``."""
    return _ALTER.match(statement)


def constraint_match(text: str) -> re.Match[str] | None:
    """A constraint of a table: ``kind`` and ``rest``."""
    return _CONSTRAINT.match(text)


def read_column(text: str, node: Node) -> tuple[str, Column] | None:
    """Name and column of a definition."""
    match = _COLUMN.match(text)
    if match is None:
        return None
    rest = f"{match['rest']} "
    return unquoted(match["name"]), Column(
        made_in=node,
        type=_TYPE_END.sub("", rest).strip().lower(),
        not_null=bool(_NOT_NULL.search(rest)),
        has_default=bool(_DEFAULT.search(rest)),
    )


class Known:
    """What there is, statement by statement."""

    def __init__(self) -> None:
        self.tables: dict[Relation, Table] = {}
        self.others: dict[Relation, Node] = {}
        """Views, types, functions and the like -> what made them."""

    def learn(self, statement: str, node: Node, schema: str) -> None:
        """Take account of a statement that has been sent."""
        if made := _CREATE.match(statement):
            name = qualified(made["name"], schema)
            if made["kind"].lower() != "table":
                self.others[name] = node
            elif name not in self.tables:
                self.tables[name] = self._new_table(statement[made.end() :], node)
        elif index := _INDEX.match(statement):
            table = self.tables.get(qualified(index["name"], schema))
            if table is not None and index["unique"] and " where " not in index["rest"].lower():
                table.keys.add(columns(bracketed(index["rest"])))
        elif altered := _ALTER.match(statement):
            self._alter(qualified(altered["name"], schema), altered["actions"], node)

    def _new_table(self, rest: str, node: Node) -> Table:
        table = Table(made_in=node)
        for part in split(bracketed(rest)):
            self._add(table, part, node)
        return table

    def _add(self, table: Table, part: str, node: Node) -> None:
        """A column, or a constraint of the table."""
        if constraint := _CONSTRAINT.match(part):
            if constraint["kind"].lower().startswith(("primary", "unique")):
                table.keys.add(columns(bracketed(constraint["rest"])))
            return
        if found := read_column(part, node):
            name, column = found
            table.columns[name] = column
            if re.search(r"\bprimary\s+key\b|\bunique\b", part, _FLAGS):
                table.keys.add((name,))

    def _alter(self, relation: Relation, actions: str, node: Node) -> None:
        if to := re.match(rf"rename\s+to\s+({IDENTIFIER})", actions, _FLAGS):
            if relation in self.tables:
                self.tables[relation[0], unquoted(to[1])] = self.tables.pop(relation)
            return
        table = self.tables.get(relation)
        if table is None:
            return
        if to := re.match(
            rf"rename\s+(?:column\s+)?(?!constraint\b)({IDENTIFIER})\s+to\s+({IDENTIFIER})", actions, _FLAGS
        ):
            old = table.columns.pop(unquoted(to[1]), None)
            table.columns[unquoted(to[2])] = old or Column(made_in=node)
            return
        for action in split(actions):
            if added := re.match(r"add\s+(?:column\s+)?(?:if\s+not\s+exists\s+)?(.*)", action, _FLAGS):
                self._add(table, added[1], node)
            elif changed := re.match(rf"alter\s+(?:column\s+)?({IDENTIFIER})\s+(.*)", action, _FLAGS):
                name = unquoted(changed[1])
                table.columns[name] = _changed(table.columns.get(name) or Column(made_in=node), changed[2])
            elif dropped := re.match(
                rf"drop\s+(?:column\s+)?(?!constraint\b)(?:if\s+exists\s+)?({IDENTIFIER})", action, _FLAGS
            ):
                table.columns.pop(unquoted(dropped[1]), None)


def _changed(column: Column, action: str) -> Column:
    action = " ".join(action.lower().split())
    if action.startswith("set not null"):
        return replace(column, not_null=True)
    if action.startswith("drop not null"):
        return replace(column, not_null=False)
    if action.startswith(("set default", "add generated")):
        return replace(column, has_default=True)
    if action.startswith("drop default"):
        return replace(column, has_default=False)
    if found := re.match(r"(?:set data )?type (.*?)(?: using .*)?$", action):
        return replace(column, type=found[1].strip())
    return column


def dropped(statement: str, schema: str) -> Iterator[tuple[str, Relation]]:
    """What a DROP statement takes away: kind and name of each."""
    match = re.match(
        r"drop\s+(?P<kind>table|materialized\s+view|view|type|domain|sequence|function|procedure|schema)\s+"
        r"(?:if\s+exists\s+)?(?P<names>.*?)(?:\s+(?:cascade|restrict))?$",
        statement,
        _FLAGS,
    )
    if match is None:
        return
    kind = " ".join(match["kind"].lower().split())
    for name in split(match["names"]):
        if found := re.match(NAME, name, _FLAGS):
            yield kind, qualified(found[0], schema)
