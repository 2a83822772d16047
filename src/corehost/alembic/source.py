"""What a revision file tells beyond its header, without running it; for the files that are pending."""

from __future__ import annotations

import ast
from os import PathLike, fspath
from pathlib import Path
from types import CodeType
from typing import Any, Final

from corehost.alembic.compiled import compile_file, is_plain, reach_code
from corehost.alembic.headers import execute, unreadable
from corehost.alembic.literals import module_literals, parse
from corehost.alembic.reach import Reached, call_name, reach
from corehost.alembic.statements import destroys_data, ends_transaction, runs_outside_transaction
from corehost.alembic.widening import widens
from corehost.core.errors import RevisionFileError, Where, did_you_mean
from corehost.core.revision import Phase, SourceFacts
from corehost.core.setting_types import parse_duration

__all__ = ["compile_file", "source_facts"]

_ATTRIBUTES: Final = ("phase", "retry_safe", "blocking", "lock_timeout")
_PHASES: Final[tuple[Phase, ...]] = ("expand", "contract")
_DROPS: Final = frozenset(
    (
        "drop_table",
        "drop_column",
        "drop_all",
        "delete",
        "DropColumnOp",
        "DropTableOp",
        "DropTable",
        "DropSchema",
    )
)
_COMMITS: Final = frozenset(("autocommit_block", "batches", "commit", "postgresql_concurrently"))
_UNUSUAL: Final = frozenset((*_ATTRIBUTES, *_DROPS, *_COMMITS))


def source_facts(path: str | PathLike[str], code: CodeType | None = None) -> SourceFacts:
    """What the file's attributes and its ``upgrade`` function show.

    ``upgrade`` here is the function with all that it mentions of its own module, branches of
    conditions included; what it calls in other modules is not seen.

    ===================  ==========================================================================
    ``transactional``    False with ``autocommit_block``; a call of ``commit`` or of
                         ``corehost.batches``; an isolation level
                         AUTOCOMMIT; ``postgresql_concurrently=True``; executed text with COMMIT, END,
                         ROLLBACK (but not TO SAVEPOINT), ABORT, PREPARE TRANSACTION or VACUUM; text
                         with an INDEX CONCURRENTLY, DETACH PARTITION CONCURRENTLY, DATABASE,
                         TABLESPACE or ALTER SYSTEM statement.
    ``destructive``      True with ``drop_table``, ``drop_column`` (of a batch too), ``drop_all``,
                         ``delete`` and their operation objects; ``alter_column(type_=…)`` unless the
                         new type evidently holds all that ``existing_type`` does; text with DROP
                         TABLE, COLUMN, SCHEMA, DATABASE or OWNED, with DROP TYPE, DOMAIN or EXTENSION
                         … CASCADE, TRUNCATE, DELETE FROM, ALTER TABLE … TYPE other than text without
                         a length. Dropped indexes, constraints, defaults, views, functions and
                         sequences, ``nullable=False`` and UPDATE do not count.
    ``phase``            the module attribute: None, ``"expand"`` or ``"contract"``.
    ``retry_safe``       the module attribute: True or False.
    ``background``       True with the module attribute ``blocking = False``.
    ``lock_timeout``     the module attribute: None or a duration with its unit.
    ===================  ==========================================================================

    ``code`` is what :func:`compile_file` has given: where nothing in it is out of the ordinary, the
    source is not read. A file without source is judged by the names and texts of its code, to the same
    rules but for the types of ``alter_column``, where each counts. An attribute that is computed costs
    an execution of the file. Raises RevisionFileError for a wrong attribute or an unreadable file.
    """
    if code is not None and is_plain(code, _UNUSUAL):
        return SourceFacts()
    file = fspath(path)
    where = Where(file=file)
    if file.endswith(".pyc"):
        values, _ = execute(file, _ATTRIBUTES, where)
        transactional, destructive = _judge_code(file)
    else:
        try:
            with open(file, "rb", buffering=0) as opened:
                source = opened.read()
        except OSError as error:
            raise unreadable(error, where) from None
        tree = parse(source, where)
        names = [name for name in _ATTRIBUTES if name.encode() in source]
        literals = module_literals(tree, names)
        values = execute(file, names, where)[0] if literals is None else literals
        reached = reach(tree)
        transactional, destructive = _is_transactional(reached), _is_destructive(reached)
    return SourceFacts(
        transactional=transactional,
        destructive=destructive,
        phase=_phase(values.get("phase"), where),
        retry_safe=_flag("retry_safe", values.get("retry_safe", False), where),
        background=not _flag("blocking", values.get("blocking", True), where),
        lock_timeout=_lock_timeout(values.get("lock_timeout"), where),
    )


def destructive_lines(path: str | PathLike[str]) -> tuple[int, ...]:
    """The lines of the calls that drop or narrow data, as :func:`source_facts` judges them.

    None of a file without source.
    """
    file = fspath(path)
    if file.endswith(".pyc"):
        return ()
    tree = parse(Path(file).read_bytes(), Where(file=file))
    return tuple(
        sorted(call.lineno for call in reach(tree).calls if call_name(call) in _DROPS or _narrows(call))
    )


def _is_transactional(reached: Reached) -> bool:
    return not (
        "autocommit_block" in reached.names
        or any(call_name(call) in ("batches", "commit") for call in reached.calls)
        or any(_is_true(call, "postgresql_concurrently") for call in reached.calls)
        or any(text.upper() == "AUTOCOMMIT" or runs_outside_transaction(text) for text in reached.texts)
        or any(ends_transaction(text) for text in reached.executed)
    )


def _is_destructive(reached: Reached) -> bool:
    return any(call_name(call) in _DROPS or _narrows(call) for call in reached.calls) or any(
        destroys_data(text) for text in reached.texts
    )


def _judge_code(file: str) -> tuple[bool, bool]:
    """Whether the code is transactional, and whether it is destructive."""
    code = reach_code(compile_file(file))
    transactional = code.names.isdisjoint(_COMMITS) and not any(
        text.upper() == "AUTOCOMMIT" or runs_outside_transaction(text) or ends_transaction(text)
        for text in code.texts
    )
    destructive = (
        not code.names.isdisjoint(_DROPS)
        or {"alter_column", "type_"} <= code.names
        or any(destroys_data(text) for text in code.texts)
    )
    return transactional, destructive


def _is_true(call: ast.Call, keyword: str) -> bool:
    return any(
        word.arg == keyword and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in call.keywords
    )


def _narrows(call: ast.Call) -> bool:
    if call_name(call) != "alter_column":
        return False
    words = {word.arg: word.value for word in call.keywords}
    new = words.get("type_")
    if new is None or (isinstance(new, ast.Constant) and new.value is None):
        return False
    return not widens(words.get("existing_type"), new)


def _phase(value: object, where: Where) -> Phase | None:
    if value is None:
        return None
    for phase in _PHASES:
        if value == phase:
            return phase
    raise RevisionFileError(
        f"phase is {value!r}, neither 'expand' nor 'contract'",
        where=where,
        hint=did_you_mean(value, _PHASES) if isinstance(value, str) else None,
    )


def _flag(name: str, value: object, where: Where) -> bool:
    if not isinstance(value, bool):
        raise RevisionFileError(
            f"{name} is {value!r}, neither True nor False",
            where=where,
            hint=f"write {name} = {name != 'blocking'}",
        )
    return value


def _lock_timeout(value: Any, where: Where) -> str | None:
    if value is None:
        return None
    try:
        parse_duration(value)
    except (AttributeError, ValueError):
        raise RevisionFileError(
            f"lock_timeout is {value!r}, not a duration with its unit",
            where=where,
            hint='write lock_timeout = "2s"',
        ) from None
    return str(value)
