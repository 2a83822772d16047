"""The SQL that a pass would send now, as a script for whoever has to run it by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corehost.alembic.runners import Runners
from corehost.core.deferral import Held, with_dependents
from corehost.core.errors import IncompatibleDatabase
from corehost.core.namespace import LEDGER, LEDGER_NAMESPACE, Namespace
from corehost.core.plan import Plan, Step, make_plan
from corehost.core.release import release_of
from corehost.core.standing import Standing
from corehost.core.state import DatabaseState
from corehost.core.version import VERSION
from corehost.installation import Installation
from corehost.migrate.vetting import destructive_refused
from corehost.postgres.connect import Connection, Connector, translated_errors
from corehost.postgres.ledger import StepRecord
from corehost.postgres.prepare import ALEMBIC_WIDTH, missing_extensions, schema_exists
from corehost.postgres.releases import release_values
from corehost.postgres.script import Writer
from corehost.postgres.session import step_settings
from corehost.readiness.deferred import contract_steps, find_deferred
from corehost.readiness.look import look

if TYPE_CHECKING:
    from corehost.alembic.offline import Statement

_SET: Final = ("search_path", "lock_timeout", "statement_timeout")
_BLIND: Final = Held(
    reason="is left to 'corehost migrate --contract': a script does not see who is there", by_hand=True
)
_INTRODUCTION = """\
-- What corehost {version} would send to this database as it is now: {steps}.
-- Run all of it in one session that ends at the first error: psql -X -v ON_ERROR_STOP=1 -f FILE
-- Each step tries its locks, checks at its end that they are held and that the version rows are as they were,
-- and is rolled back otherwise: a script that is out of date, or run twice, changes nothing."""


def write_script(
    installation: Installation,
    connector: Connector,
    *,
    only: str | None = None,
    allow_destructive: bool = False,
) -> str:
    """The script; the database is looked at without any lock, and not changed.

    ``only`` restricts it to one branch and what that depends on. Raises IncompatibleDatabase and, unless
    ``allow_destructive``, DestructiveStepRefused as a pass would, NoScript for a step that SQL alone cannot
    be written for, DatabaseUnavailable.
    """
    with translated_errors(), connector.open(migrating=True) as connection:
        graph, policy = installation.graph, installation.policy
        state, standings = look(connection, graph, policy=policy)
        rows = {name: standing.rows for name, standing in standings.items()}
        pending = graph.pending(rows)
        deferred = dict(find_deferred(connection, graph, state, pending, policy))
        # Whoever runs the script, at whatever time, sees nobody who comes meanwhile.
        blind = [n for n in contract_steps(graph, state, pending, policy) if n not in deferred]
        deferred |= with_dependents(graph, pending, dict.fromkeys(blind, _BLIND))
        plan = make_plan(graph, rows, only=only, without=deferred)
        plan = replace(plan, deferred={node: held.reason for node, held in deferred.items()})
        plan = plan.with_facts({step.node: installation.facts(step.node) for step in plan.steps})
        refused = [step.node for step in plan.steps if step.destructive]
        if refused and policy.refuse_destructive and not allow_destructive:
            raise destructive_refused(graph, refused)
        return "\n".join(_Script(installation, connection, state, standings).lines(plan))


class _Script:
    def __init__(
        self,
        installation: Installation,
        connection: Connection,
        state: DatabaseState,
        standings: Mapping[str, Standing],
    ):
        self._graph = installation.graph
        self._settings = installation.settings
        self._connection = connection
        self._state = state
        self._standings = standings
        self._writer = Writer(connection)
        self._rows = {name: standing.rows for name, standing in standings.items()}
        self._written = dict(state.rows)
        self._runners = Runners(installation.graph)
        self._schemas: set[str] = set()
        self._id = uuid.uuid4()
        self._release = release_of(installation.graph)

    def lines(self, plan: Plan) -> Iterator[str]:
        number = len(plan.steps)
        steps = f"{number} step{'' if number == 1 else 's'}" if number else "nothing"
        yield _INTRODUCTION.format(version=VERSION, steps=steps)
        for node, reason in sorted(plan.deferred.items()):
            yield f"-- Held back: {node} {' '.join(reason.split())}"
        for step in plan.steps:
            self._refuse(step)
        facts = {step.node: step.facts for step in plan.steps}
        prepared: set[str] = set()
        for place, step in enumerate(plan.steps, 1):
            name = step.node.branch
            yield f"\n-- {place}/{number}  {self._title(step)}"
            shared = self._shared(step)
            yield self._writer.lock(step.namespace, shared)
            if not prepared - {LEDGER} and name != LEDGER:
                yield self._writer.release(release_values(self._graph, self._release, facts.get))
            if name not in prepared:
                prepared.add(name)
                yield from self._prepare(name)
            yield from self._step(step)
            yield self._writer.unlock(step.namespace, shared)
            for known in (self._rows, self._written):
                known[name] = self._runners.of(name).rows_after(known[name], *step.revisions)
        yield ""

    def _title(self, step: Step) -> str:
        origin = self._graph.trees[step.node.branch].branch.origin
        parts = [str(step.node), step.message]
        if origin.distribution:
            parts.append(f"({origin.distribution} {origin.version})")
        return " ".join(" ".join(part.split()) for part in parts if part)

    def _refuse(self, step: Step) -> None:
        """What a pass would not run is not written either."""
        name = step.node.branch
        tree = self._graph.trees[name]
        if self._standings[name].blocked:
            raise self._standings[name].error(tree)
        attempt = self._state.open_steps.get(step.namespace)
        if attempt is not None and attempt.partial:
            raise IncompatibleDatabase(
                f"revision {attempt.revision} is in doubt, or running",
                where=tree.where(attempt.revision),
                hint="look at the database, then say how it stands with 'corehost resolve'",
            )
        if tree.branch.bootstrap is not None and not self._rows[name]:
            from corehost.alembic.offline import NoScript

            raise NoScript(
                f"branch {name!r} is made at once by {tree.branch.bootstrap}, which has no script",
                where=tree.where(),
                hint="let a pass do it, or take bootstrap out of its mount",
            )

    def _shared(self, step: Step) -> list[Namespace]:
        """The namespaces whose locks a pass takes beside the step's own."""
        trees = self._graph.trees
        names = {node.branch for node in step.depends_on} | set(self._graph.first[step.node.branch])
        return [trees[name].branch.namespace for name in sorted(names) if name != LEDGER]

    def _prepare(self, name: str) -> Iterator[str]:
        """Schema, version table and extensions of a branch, before its first step."""
        tree, settings = self._graph.trees[name], self._settings
        missing = missing_extensions(self._connection, tree.branch.extensions)
        if missing:
            yield self._writer.lock(LEDGER_NAMESPACE, ())
            yield from self._schema(settings.extension_schema)
            for extension in missing:
                yield self._writer.extension(extension, settings.extension_schema)
            yield self._writer.unlock(LEDGER_NAMESPACE, ())
        if name in self._state.without_table:
            yield from self._schema(tree.branch.namespace.schema)
            width = max(ALEMBIC_WIDTH, *map(len, tree.revisions))
            yield self._writer.version_table(tree.branch.namespace, width=width)

    def _schema(self, name: str) -> Iterator[str]:
        if name not in self._schemas and not schema_exists(self._connection, name):
            yield self._writer.schema(name)
        self._schemas.add(name)

    def _step(self, step: Step) -> Iterator[str]:
        from corehost.alembic.offline import write_down

        name = step.node.branch
        runner, before = self._runners.of(name), self._written[name]
        written = write_down(runner, step)
        if written.problem is not None:
            raise written.problem
        required = [f"{n}@{h}" for n in self._graph.first[name] if n != LEDGER for h in self._rows[n]]
        record = StepRecord(
            step,
            self._graph.trees[name].branch,
            pass_id=self._id,
            required=required,
            release=self._release.digest,
            knows_releases=name != LEDGER,
        )
        settings = step_settings(self._settings, step.namespace)
        if step.facts.lock_timeout:
            settings = {**settings, "lock_timeout": step.facts.lock_timeout}
        wanted = {key: settings[key] for key in _SET}
        yield self._writer.settings(wanted)
        yield "BEGIN;"
        early = False
        inside: int | None = 0
        for statement in written.statements:
            if statement.transaction != inside:
                yield from self._leave(inside, statement, record, wanted, early=early)
                early, inside = True, statement.transaction
            yield f"{statement.sql};"
        if inside is None:
            yield from self._enter(wanted)
        yield self._writer.finished(
            record,
            step.namespace,
            before=before,
            after=runner.rows_after(before, *step.revisions),
            early=early,
        )

    def _leave(
        self,
        inside: int | None,
        statement: Statement,
        record: StepRecord,
        wanted: Mapping[str, str],
        *,
        early: bool,
    ) -> Iterator[str]:
        """From one transaction of a step to outside of any, to the next one, or both."""
        if inside is not None:
            if not early:
                yield self._writer.started(record)
            yield "COMMIT;"
            # What runs outside of a transaction waits for all others by design.
            yield self._writer.settings({"lock_timeout": "0"})
        if statement.transaction is not None:
            yield from self._enter(wanted)

    def _enter(self, wanted: Mapping[str, str]) -> Iterator[str]:
        yield self._writer.settings({"lock_timeout": wanted["lock_timeout"]})
        yield "BEGIN;"
