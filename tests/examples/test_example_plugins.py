"""The example plugins do what their READMEs say, on a real database."""

from __future__ import annotations

import logging
import runpy
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from corehost import Host
from examples.conftest import EXAMPLES, HostFactory

ALL = ("accounts", "audit", "billing", "notes", "search")


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    """What a statement returns on the test's database."""
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def engine_of(database: str) -> sa.Engine:
    """An engine that leaves no connection behind."""
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database), poolclass=sa.NullPool
    )


def test_all_examples_come_up_in_one_pass(host_of: HostFactory) -> None:
    """Started together they apply every revision that they have, and a second pass finds nothing to do."""
    files = [file.stem.partition("_")[0] for file in EXAMPLES.glob("*/src/*/migrations/versions/*.py")]
    report = host_of(*ALL).migrate()
    assert report.ready
    applied = [result.node.revision for result in report.applied if result.node.branch != "corehost"]
    assert sorted(applied) == sorted(files)
    assert host_of(*ALL).migrate().applied == ()


@pytest.mark.parametrize("plugins", [("accounts",), ("audit",), ("notes",), ("search",)])
def test_an_example_that_requires_none_comes_up_alone(host_of: HostFactory, plugins: tuple[str, ...]) -> None:
    """Every example but billing works without the others."""
    assert host_of(*plugins).migrate().ready


def test_the_models_of_accounts_are_what_its_revisions_make(host_of: HostFactory, database: str) -> None:
    """Autogenerate has nothing to propose between the models and the migrated schema."""
    host_of("accounts").migrate()
    from corehost_example_accounts.models import metadata

    with engine_of(database).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, parents: kind != "schema" or name == "accounts",
                "version_table_schema": "accounts",
            },
        )
        assert compare_metadata(context, metadata) == []


def test_accounts_trims_and_compares_the_emails_that_are_there(host_of: HostFactory, database: str) -> None:
    """Addresses from before lose their spaces, and no two may differ in case only any more."""
    host_of("accounts", mounts={"accounts": {"target": "d94c0b7e6f18"}}).migrate()
    add = "INSERT INTO accounts.users (email, display_name) VALUES (%r, 'Ada')"
    rows(database, add % " Ada@example.org ")
    assert host_of("accounts").migrate().ready
    assert rows(database, "SELECT email FROM accounts.users") == [("Ada@example.org",)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        rows(database, add % "ada@example.org")


@pytest.mark.parametrize("schema", ["accounts", "The 'accounts'"])
def test_billing_references_accounts_wherever_it_is(host_of: HostFactory, database: str, schema: str) -> None:
    """The foreign key leads to accounts' table in the schema that the host has chosen for it."""
    host_of("accounts", "billing", mounts={"accounts": {"schema": schema}}).migrate()
    constraint = "SELECT n.nspname, t.relname FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid"
    constraint += " JOIN pg_namespace n ON n.oid = t.relnamespace WHERE conname = 'fk_subscriptions_contact'"
    assert rows(database, constraint) == [(schema, "memberships")]


def test_billings_concurrent_index_mends_what_a_crash_left(host_of: HostFactory, database: str) -> None:
    """A second run of the revision replaces an INVALID index with a valid one."""
    host_of("accounts", "billing").migrate()
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    rows(
        database,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'billing.ix_invoices_unpaid'::regclass",
    )
    assert rows(database, invalid) == [("billing.ix_invoices_unpaid",)]
    (file,) = EXAMPLES.glob("billing/src/*/migrations/versions/e4f1927b60d3_*.py")
    _run(runpy.run_path(str(file))["upgrade"], database, "billing")
    assert rows(database, invalid) == []


def test_billing_renders_while_the_host_runs(host_of: HostFactory) -> None:
    """Its thread renders between start-up and shutdown, and refuses before and after."""
    host = host_of("accounts", "billing")
    with host:
        from corehost_example_billing import worker

        invoice = worker.Invoice(number="7", organisation="Acme", currency="EUR", lines=(("Seats", 1250),))
        assert "12.50 EUR" in worker.render(host, invoice).result(timeout=60)
    with pytest.raises(RuntimeError, match="not started"):
        worker.render(host, invoice)


def test_search_fills_itself_from_accounts(host_of: HostFactory, database: str) -> None:
    """Where accounts has organisations already, their names are found by a part of a word."""
    host_of("accounts").migrate()
    rows(database, "INSERT INTO accounts.organisations (slug, name) VALUES ('acme', 'Acme 100% Rockets')")
    host_of("accounts", "search").migrate()
    from corehost_example_search import documents

    with engine_of(database).begin() as connection:
        documents.put(connection, kind="page", reference="1", title="About rocks")
        found = documents.find(connection, "ROCKE")
        assert found == [("organisation", "acme", "Acme 100% Rockets")]
        assert documents.find(connection, "0% R") == found
        assert documents.find(connection, "_") == []


def test_audit_writes_what_it_saw(host_of: HostFactory, database: str) -> None:
    """Its table ends with the pass, each step and the host's life, in order, and says who acted."""
    with host_of("audit"):
        pass
    own = "branch IS NULL OR branch = 'audit'"
    seen = rows(database, f"SELECT kind, revision FROM audit.events WHERE {own} ORDER BY id")
    assert seen[0] == ("trail.begun", None)
    assert seen[-8:] == [
        ("pass.started", None),
        ("step.started", "96d0c3f7b1e2"),
        ("step.applied", "96d0c3f7b1e2"),
        ("step.started", "2be84f0d9a31"),
        ("step.applied", "2be84f0d9a31"),
        ("pass.finished", None),
        ("host.started", None),
        ("host.stopped", None),
    ]
    assert rows(database, "SELECT count(*) FROM audit.events WHERE actor = 'unknown'") == [(0,)]


def test_audit_stops_nobody(host_of: HostFactory, database: str, caplog: pytest.LogCaptureFixture) -> None:
    """A host starts although the trail cannot be written, and the log says so."""
    host_of("audit").migrate()
    rows(database, "ALTER TABLE audit.events RENAME TO moved_away")
    with caplog.at_level(logging.WARNING, "corehost_example_audit"), host_of("audit") as host:
        assert isinstance(host, Host)
        assert host.ready
    assert "the trail is not written yet" in caplog.text


def test_notes_has_its_tables_in_a_schema_of_its_own(host_of: HostFactory, database: str) -> None:
    """A package that has never heard of corehost gets the schema named after its entry point."""
    host_of("notes").migrate()
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'notes' ORDER BY 1"
    assert [name for (name,) in rows(database, tables)] == ["alembic_version", "note_tags", "notes", "tags"]


def _run(upgrade: Callable[[], None], database: str, schema: str) -> None:
    with closing(engine_of(database).connect()) as connection:
        connection.exec_driver_sql(f'SET search_path = "{schema}", public')
        connection.commit()
        context = MigrationContext.configure(connection)
        with context.begin_transaction(), Operations.context(context):
            upgrade()
