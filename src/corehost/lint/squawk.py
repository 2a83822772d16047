"""squawk, where it is installed: its rules over the same statements."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from corehost.core.errors import ConfigurationError

HANDLED: Final = {
    "ban-drop-column": "contract-unmarked",
    "ban-drop-default": "contract-unmarked",
    "ban-drop-table": "contract-unmarked",
    "prefer-robust-stmts": "a step is one transaction, and one that is not is settled by the ledger",
    "renaming-column": "contract-unmarked",
    "renaming-table": "contract-unmarked",
    "require-lock-timeout": "a pass sets lock_timeout",
    "require-statement-timeout": "a pass sets statement_timeout",
    "require-timeout-settings": "a pass sets both",
}
"""squawk's rules that are left out -> the rule of ours, or what of corehost, stands in their place."""
_TIMEOUT: Final = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Statements that are sent in one transaction, or each outside of any."""

    texts: tuple[str, ...]
    """One statement each."""
    in_transaction: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """What squawk says of one statement."""

    piece: int
    statement: int
    """Which of the piece's texts, from 0."""
    rule: str
    message: str
    help: str | None

    @property
    def is_style(self) -> bool:
        """Whether it is about taste rather than about what breaks or waits."""
        return self.rule.startswith(("prefer-", "identifier-")) or self.rule in (
            "ban-char-field",
            "syntax-error",
        )


def find() -> str | None:
    """The program: of this environment, or on the path."""
    return shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")


def run(program: str, pieces: Sequence[Piece], *, pg_version: str | None = None) -> Iterator[Violation]:
    """Its violations in these pieces, without those that are handled otherwise. Raises ConfigurationError."""
    with tempfile.TemporaryDirectory(prefix="corehost-lint-") as folder:
        files = {}
        for number, piece in enumerate(pieces):
            path = Path(folder, f"{number}.sql")
            path.write_text("".join(f"{text};\n" for text in piece.texts))
            files[number] = path
        for inside in (True, False):
            chosen = [files[number] for number, piece in enumerate(pieces) if piece.in_transaction is inside]
            options = ["--assume-in-transaction"] if inside else []
            if pg_version:
                options += ["--pg-version", pg_version]
            for found in _call(program, options, chosen):
                number = int(Path(found["file"]).stem)
                if found["rule_name"] not in HANDLED:
                    yield Violation(
                        piece=number,
                        statement=_place(pieces[number], int(found["line"])),
                        rule=found["rule_name"],
                        message=_sentence(found["message"]),
                        help=_sentence(found["help"]) if found.get("help") else None,
                    )


def _call(program: str, options: list[str], files: Iterable[Path]) -> list[dict[str, Any]]:
    names = [str(path) for path in files]
    if not names:
        return []
    done = subprocess.run(
        [program, "--reporter=json", *options, *names], capture_output=True, text=True, timeout=_TIMEOUT
    )
    try:
        found = json.loads(done.stdout or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list) or done.returncode not in (0, 1) or (done.returncode and not found):
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigurationError(f"squawk failed: {said[0] if said else f'exit code {done.returncode}'}")
    return found


def _place(piece: Piece, line: int) -> int:
    """Which statement of a piece a line (from 0) belongs to."""
    for place, text in enumerate(piece.texts):
        line -= text.count("\n") + 1
        if line < 0:
            return place
    return len(piece.texts) - 1


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().removesuffix(".")
    return text[:1].lower() + text[1:]
