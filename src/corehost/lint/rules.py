"""corehost's own rules about what a revision sends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from corehost.core.revision import Node, Phase
from corehost.lint.contracting import IsNew, changes_existing, contracts, may_be_old, writes_existing
from corehost.lint.known import Known, Table
from corehost.lint.lexed import IDENTIFIER, NAME, qualified, unquoted

CONTRACT_UNMARKED: Final = "contract-unmarked"
DATA_WITH_DDL: Final = "data-with-ddl"
BACKFILL_IN_ONE: Final = "backfill-in-one"
EXPAND_AFTER_CONTRACT: Final = "expand-after-contract"
DEPENDS_ON_HEAD: Final = "depends-on-head"
IGNORE_WITHOUT_REASON: Final = "ignore-without-reason"

OWN_RULES: Final = (
    BACKFILL_IN_ONE,
    CONTRACT_UNMARKED,
    DATA_WITH_DDL,
    DEPENDS_ON_HEAD,
    EXPAND_AFTER_CONTRACT,
    IGNORE_WITHOUT_REASON,
)
"""The names of corehost's own rules, sorted."""

_FLAGS: Final = re.IGNORECASE | re.DOTALL
_VALUE: Final = r"(?:''|-?\d|:\w|\(|cast\b|any\b)"


class Sent(NamedTuple):
    """One statement of a revision."""

    text: str
    """Without comments, constants as ``''``."""
    written: str
    """As it is sent."""
    line: int | None
    transaction: int | None
    batched: bool


class Problem(NamedTuple):
    """What a rule has found in a revision."""

    rule: str
    line: int | None
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Revised:
    """What the rules look at of one revision."""

    node: Node
    schema: str
    phase: Phase | None
    sent: tuple[Sent, ...]


@dataclass(kw_only=True, slots=True)
class Looked:
    """What a look at a revision's statements gives."""

    problems: list[Problem]
    old: list[bool]
    """Of each statement, whether it may be about something that released code knows."""


def look_at(revision: Revised, known: Known, is_new: IsNew) -> Looked:
    """Look at a revision's statements, one after the other; ``known`` learns of them."""
    old: list[bool] = []
    return Looked(problems=list(_problems(revision, known, is_new, old)), old=old)


def _problems(revision: Revised, known: Known, is_new: IsNew, old: list[bool]) -> Iterator[Problem]:
    ddl: dict[int, tuple[int | None, str]] = {}
    data: dict[int, tuple[int | None, str]] = {}
    for place, sent in enumerate(revision.sent):
        behind = [later.text for later in revision.sent[place + 1 :]]
        if revision.phase != "contract":
            for what in contracts(sent.text, revision.schema, known, is_new, behind):
                yield Problem(CONTRACT_UNMARKED, sent.line, what, 'mark the revision phase = "contract"')
        old.append(may_be_old(sent.text, revision.schema, known, is_new))
        changed = changes_existing(sent.text, revision.schema, known, is_new)
        written = writes_existing(sent.text, revision.schema, known, is_new)
        if changed and sent.transaction is not None:
            ddl.setdefault(sent.transaction, (sent.line, changed))
        if written:
            if sent.transaction is not None:
                data.setdefault(sent.transaction, (sent.line, written))
            table = known.tables.get(_target(sent.text, revision.schema))
            if not sent.batched and _is_unbounded(sent.text, table):
                yield Problem(
                    BACKFILL_IN_ONE,
                    sent.line,
                    f"changes rows of {written} without a bound on its key",
                    "go through the table with corehost.batches",
                )
        known.learn(sent.text, revision.node, revision.schema)
    for transaction in sorted(ddl.keys() & data.keys()):
        line, table_name = data[transaction]
        yield Problem(
            DATA_WITH_DDL,
            line,
            f"changes rows of {table_name} in the transaction that locks {ddl[transaction][1]} for DDL",
            "put the data change into a revision of its own",
        )


def _target(statement: str, schema: str) -> tuple[str, str]:
    match = re.search(
        rf"\b(?:update(?:\s+only)?|delete\s+from(?:\s+only)?|into)\s+({NAME})", statement, _FLAGS
    )
    return qualified(match[1], schema) if match else (schema, "")


def _is_unbounded(statement: str, table: Table | None) -> bool:
    """Whether an UPDATE or DELETE may touch any number of rows: none of its conditions bounds a key."""
    if not re.match(r"(?:with\b.*?\)\s*)?(?:update|delete)\b", statement, _FLAGS):
        return False
    if re.search(r"\blimit\b|\bctid\b", statement, _FLAGS):
        return False
    where = re.search(r"\bwhere\b(.*)", statement, _FLAGS)
    if where is None:
        return True
    compared = re.finditer(
        rf"(?P<left>{IDENTIFIER})\s*\)?\s*(?:(?:=|<=|>=|<|>)\s*\(?\s*{_VALUE}|\b(?:in\s*\(\s*{_VALUE}|between\s+{_VALUE}))",
        where[1],
        _FLAGS,
    )
    names = {unquoted(match["left"]) for match in compared}
    if table is None or not table.keys:
        return not names
    return not any(key[0] in names for key in table.keys if key)
