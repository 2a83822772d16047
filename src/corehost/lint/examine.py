"""Looks at every revision, in the order of the plan, as it would be run on an empty database."""

from __future__ import annotations

import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from corehost.alembic.offline import NoScript, write_down
from corehost.alembic.runners import Runners
from corehost.alembic.source import destructive_lines
from corehost.core.errors import ConfigurationError, did_you_mean
from corehost.core.graph import Graph
from corehost.core.namespace import LEDGER
from corehost.core.plan import Step, make_plan
from corehost.core.revision import Node, SourceFacts
from corehost.core.tree import BranchTree
from corehost.lint import squawk
from corehost.lint.comments import Source
from corehost.lint.finding import Finding, Severity
from corehost.lint.known import Known
from corehost.lint.lexed import statements
from corehost.lint.rules import (
    CONTRACT_UNMARKED,
    DEPENDS_ON_HEAD,
    EXPAND_AFTER_CONTRACT,
    IGNORE_WITHOUT_REASON,
    Problem,
    Revised,
    Sent,
    look_at,
)
from corehost.lint.shipped import shipped


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What lint is asked for."""

    plugins: tuple[str, ...] = ()
    """The branches that are looked at; none: all that are installed."""
    since: tuple[str, ...] = ()
    """What an earlier release had: revisions, or git commits."""
    exclude: frozenset[str] = frozenset()
    """Rules that do not matter."""
    pg_version: str | None = None
    """The server's version, for squawk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotRendered:
    """A revision whose statements could be seen up to some line only."""

    node: Node
    problem: NoScript


@dataclass(frozen=True, kw_only=True, slots=True)
class LintReport:
    """What lint has found."""

    findings: tuple[Finding, ...]
    """By plugin, file and line; those with a reason to be ignored too."""
    not_rendered: tuple[NotRendered, ...]
    checked: int
    """How many revisions were looked at."""
    squawk: bool
    """Whether squawk is there."""


def lint(graph: Graph, facts: Callable[[Node], SourceFacts], options: Options) -> LintReport:
    """Look at revisions without a database; ``facts`` tells what a revision's source says.

    Raises ConfigurationError, and GraphError for wrong files.
    """
    names = _names(graph, options)
    known = shipped(graph, names, options.since) if options.since else {}
    return _Lint(graph, facts, options, names, known).report()


def _names(graph: Graph, options: Options) -> tuple[str, ...]:
    trees = graph.trees
    for name in options.plugins:
        if name not in trees:
            raise ConfigurationError(f"there is no branch {name!r}", hint=did_you_mean(name, trees))
    return tuple(sorted(options.plugins or trees.keys() - {LEDGER}))


@dataclass(kw_only=True)
class _Seen:
    """One revision of those that are looked at, and its statements that squawk is given."""

    step: Step
    tree: BranchTree
    sent: list[Sent] = field(default_factory=list)
    old: list[bool] = field(default_factory=list)
    """Of each statement, whether it is about something that released code knows."""

    @cached_property
    def source(self) -> Source | None:
        path = self.step.revision.path
        if not path.endswith(".py"):
            return None
        with tokenize.open(path) as file:  # in the encoding that it declares
            return Source(file.read())


class _Lint:
    def __init__(
        self,
        graph: Graph,
        facts: Callable[[Node], SourceFacts],
        options: Options,
        names: tuple[str, ...],
        released: Mapping[str, frozenset[str]],
    ):
        self._graph = graph
        self._facts = facts
        self._options = options
        self._names = names
        self._released = released
        self._known = Known()
        self._runners = Runners(graph)
        self._findings: list[Finding] = []
        self._not_rendered: list[NotRendered] = []
        self._seen: list[_Seen] = []

    def report(self) -> LintReport:
        for step in make_plan(self._graph, {}).steps:
            if step.node.branch != LEDGER or LEDGER in self._names:
                self._revision(replace(step, facts=self._facts(step.node)))
        program = squawk.find()
        if program is not None:
            self._squawk(program)
        # One line may send several statements of which the same is to be said.
        wanted = [f for f in dict.fromkeys(self._findings) if f.rule not in self._options.exclude]
        return LintReport(
            findings=tuple(sorted(wanted, key=lambda f: (f.branch, f.file, f.line or 0, f.rule, f.message))),
            not_rendered=tuple(self._not_rendered),
            checked=len(self._seen),
            squawk=program is not None,
        )

    def _is_released(self, node: Node) -> bool:
        if node.branch not in self._names:
            return True  # what it depends on is looked at where it is made
        return node.revision in self._released.get(node.branch, ())

    def _is_new(self, made_in: Node, now: Node) -> bool:
        """Whether no released code knows what a revision has made.

        Without ``since`` each revision counts as a release of its own.
        """
        if made_in == now:
            return True
        return now.branch in self._released and not self._is_released(made_in)

    def _revision(self, step: Step) -> None:
        node = step.node
        seen = _Seen(step=step, tree=self._graph.trees[node.branch])
        written = write_down(self._runners.of(node.branch), step, for_reading=True)
        for statement in written.statements:
            for text, as_sent in statements(statement.sql):
                seen.sent.append(
                    Sent(text, as_sent, statement.line, statement.transaction, statement.batched)
                )
        revised = Revised(
            node=node, schema=step.namespace.schema, phase=step.facts.phase, sent=tuple(seen.sent)
        )
        is_wanted = node.branch in self._names and not self._is_released(node)

        def is_new(made_in: Node) -> bool:
            return self._is_new(made_in, node)

        looked = look_at(revised, self._known, is_new)
        found, seen.old = looked.problems, looked.old
        if not is_wanted:
            return
        self._seen.append(seen)
        if written.problem is not None:
            self._not_rendered.append(NotRendered(node=node, problem=written.problem))
            found += self._unseen(step, {problem.line for problem in found})
        for problem in [*found, *self._order(seen)]:
            severity: Severity = "warning" if problem.rule == DEPENDS_ON_HEAD else "error"
            self._add(seen, *problem, severity)
        for ignore in seen.source.ignores if seen.source is not None else ():
            if not ignore.reason:
                text = "ignores a rule without saying why"
                self._add(
                    seen, IGNORE_WITHOUT_REASON, ignore.line, text, "write the reason behind it", "error"
                )

    def _unseen(self, step: Step, lines: set[int | None]) -> Iterator[Problem]:
        """Of a revision whose statements were not all seen: what its source drops."""
        if step.facts.phase == "contract":
            return
        for line in destructive_lines(step.revision.path):
            if line not in lines:
                text = "drops or narrows data, as far as its source shows"
                yield Problem(CONTRACT_UNMARKED, line, text, 'mark the revision phase = "contract"')

    def _order(self, seen: _Seen) -> Iterator[Problem]:
        """What is wrong with what a revision comes after."""
        node, source = seen.step.node, seen.source
        if seen.step.facts.phase != "contract":
            for need in self._graph.needs(node):
                if need.branch == LEDGER or self._is_released(need):
                    continue
                if self._facts(need).phase == "contract":
                    name = "down_revision" if need.branch == node.branch else "depends_on"
                    yield Problem(
                        EXPAND_AFTER_CONTRACT,
                        source.line_of(name) if source is not None else None,
                        f"comes after the contract step {need}, which may wait for older instances",
                        "let it come before, or on a line of its own, or say with --since what was released",
                    )
        for name in seen.tree.foreign.get(node.revision, ()):
            if name.rpartition("@")[2] in ("head", "heads"):
                yield Problem(
                    DEPENDS_ON_HEAD,
                    source.line_of("depends_on") if source is not None else None,
                    f"depends on {name}: on whatever is installed of it",
                    "name the revision that is needed",
                )

    def _squawk(self, program: str) -> None:
        pieces: list[squawk.Piece] = []
        places: list[tuple[_Seen, list[int]]] = []
        for seen in self._seen:
            groups: dict[int | None, list[int]] = {}
            for number, sent in enumerate(seen.sent):
                groups.setdefault(sent.transaction, []).append(number)
            for transaction, numbers in groups.items():
                texts = tuple(seen.sent[number].written for number in numbers)
                pieces.append(squawk.Piece(texts=texts, in_transaction=transaction is not None))
                places.append((seen, numbers))
        for violation in squawk.run(program, pieces, pg_version=self._options.pg_version):
            seen, numbers = places[violation.piece]
            number = numbers[violation.statement]
            if not violation.is_style and not seen.old[number]:
                continue
            severity: Severity = "warning" if violation.is_style else "error"
            line = seen.sent[number].line
            self._add(seen, violation.rule, line, violation.message, violation.help, severity)

    def _add(
        self, seen: _Seen, rule: str, line: int | None, message: str, hint: str | None, severity: Severity
    ) -> None:
        origin = seen.tree.branch.origin
        self._findings.append(
            Finding(
                branch=seen.step.node.branch,
                revision=seen.step.node.revision,
                distribution=origin.distribution,
                version=origin.version,
                file=seen.step.revision.path,
                line=line,
                rule=rule,
                severity=severity,
                message=message,
                hint=hint,
                ignored=seen.source.reason(rule, line) if seen.source is not None else None,
            )
        )
