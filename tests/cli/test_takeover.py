"""adopt and stamp: what others have applied becomes corehost's, and nothing is run or dropped."""

from __future__ import annotations

import psycopg
import pytest

from support.packages import create_table, revision_source
from support.shop import Shop


@pytest.fixture
def legacy(shop: Shop) -> Shop:
    """A database that a single shared version table tracks, with the heads that others imply missing."""
    shop.install(
        "accounts",
        {
            "1": revision_source("a1", upgrade=create_table("users")),
            "2": revision_source("a2", "a1", upgrade=create_table("teams")),
        },
    )
    shop.install("orders", {"1": revision_source("o1", None, "a1", upgrade=create_table("orders"))})
    shop.install("wiki")
    shop.execute(
        """CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY);
           INSERT INTO public.alembic_version VALUES ('o1');
           CREATE SCHEMA accounts; CREATE TABLE accounts.users (id int);
           CREATE SCHEMA orders; CREATE TABLE orders.orders (id int)"""
    )
    return shop


def branches(document: dict[str, object]) -> dict[str, tuple[object, ...]]:
    """What adopt says, by branch."""
    return {
        one["branch"]: (one["source"], one["rows"], one["implied"])
        for one in document["branches"]  # type: ignore[attr-defined]
    }


def test_it_shows_what_it_would_do_and_does_nothing(legacy: Shop) -> None:
    """Without --yes a document says what is applied of each branch; the database is as it was."""
    finished = legacy.run("adopt", "--json")
    assert finished.returncode == 0, finished.stderr
    assert finished.json()["adopted"] is False
    assert branches(finished.json()) == {
        "accounts": ("public.alembic_version", ["a1"], True),
        "orders": ("public.alembic_version", ["o1"], False),
        "wiki": (None, [], False),
    }
    assert not legacy.has_table("corehost.step")


def test_a_pass_goes_on_from_what_was_taken_over(legacy: Shop) -> None:
    """Version tables and ledger are written, the old table stays, and only what was missing is run."""
    finished = legacy.run("adopt", "--yes", "--json")
    assert finished.returncode == 0, finished.stderr
    assert legacy.execute("SELECT version_num FROM accounts.alembic_version") == [("a1",)]
    assert legacy.execute("SELECT version_num FROM public.alembic_version") == [("o1",)]
    assert legacy.execute("SELECT revision, action FROM corehost.step WHERE action = 'adopt' ORDER BY 1") == [
        ("a1", "adopt"),
        ("o1", "adopt"),
    ]
    migrated = legacy.run("migrate", "--json").json()
    assert {one["revision"] for one in migrated["applied"]} == {"a2", "wiki1"}


def test_a_schema_without_the_tables_is_warned_of(legacy: Shop) -> None:
    """Rows that say applied where nothing is: the tables are elsewhere, as in public."""
    legacy.execute("ALTER TABLE orders.orders SET SCHEMA public")
    finished = legacy.run("adopt", "--json")
    assert finished.returncode == 0, finished.stderr
    (warning,) = [line for line in finished.stderr.splitlines() if "warning" in line]
    assert "orders is said to be applied by public.alembic_version, but schema orders has no table" in warning


def test_it_goes_on_where_it_was_broken_off(legacy: Shop) -> None:
    """A second call finds what the ledger has already, and takes over the rest."""
    assert legacy.run("adopt", "--yes").returncode == 0
    finished = legacy.run("adopt", "--yes", "--json")
    assert finished.returncode == 0, finished.stderr
    assert set(branches(finished.json())) == {"wiki"}


def test_it_refuses_what_may_mean_two_things(legacy: Shop) -> None:
    """Another branch has a revision of the same id: exit 2, naming both, nothing written."""
    legacy.install("other", {"1": revision_source("o1", upgrade=create_table("other"))})
    legacy.execute("DROP TABLE orders.orders")
    (legacy.site / "orders" / "migrations" / "versions" / "1.py").write_text(
        revision_source("o1", None, "accounts@a1", upgrade=create_table("orders"))
    )
    finished = legacy.run("adopt", "--yes")
    assert finished.returncode == 2
    assert "may mean" in finished.stderr
    assert not legacy.has_table("corehost.step")
    told = legacy.run("adopt", "--yes", "--from", "orders=public.alembic_version")
    assert told.returncode == 0, told.stderr
    assert not legacy.has_table("other.alembic_version")


def test_a_table_for_each_project_is_found(shop: Shop) -> None:
    """Version tables that corehost would use itself only need their ledger."""
    shop.install("accounts")
    shop.install("orders")
    assert shop.run("migrate").returncode == 0
    shop.execute("DROP SCHEMA corehost CASCADE")
    assert shop.run("adopt", "--yes").returncode == 0
    assert shop.run("check").returncode == 0
    assert shop.execute("SELECT count(*) FROM corehost.step WHERE action = 'adopt'") == [(2,)]


JOURNAL = """
def read(connection):
    names = {"0000_first": "a1", "0001_teams": "a2"}
    return {"accounts": [names[tag] for (tag,) in connection.execute("SELECT tag FROM drizzle.journal")]}
"""


def test_a_function_of_the_host_reads_what_is_not_alembics(legacy: Shop) -> None:
    """A journal in another shape is translated by the host."""
    (legacy.site / "shop_journal.py").write_text(JOURNAL)
    legacy.execute(
        "CREATE SCHEMA drizzle; CREATE TABLE drizzle.journal (tag text);"
        "INSERT INTO drizzle.journal VALUES ('0000_first'), ('0001_teams')"
    )
    finished = legacy.run("adopt", "--with", "shop_journal:read", "--yes", "--json")
    assert finished.returncode == 0, finished.stderr
    assert branches(finished.json()) == {"accounts": ("shop_journal:read", ["a2"], False)}
    assert legacy.execute("SELECT version_num FROM accounts.alembic_version") == [("a2",)]


@pytest.mark.parametrize("reader", ["nothing:read", "shop_journal:nothing", "shop_journal:broken"])
def test_a_function_that_fails_is_one_line(legacy: Shop, reader: str) -> None:
    """A module or attribute that is not there, an exception: exit 2 and no traceback."""
    (legacy.site / "shop_journal.py").write_text("def broken(connection):\n    raise KeyError('tag')\n")
    finished = legacy.run("adopt", "--with", reader, "--yes")
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


def test_stamp_says_what_is_applied(legacy: Shop) -> None:
    """Version rows and ledger follow; nothing is run, and the next pass goes on behind it."""
    finished = legacy.run("stamp", "accounts", "a1", "--json")
    assert finished.returncode == 0, finished.stderr
    assert finished.json()["added"] == ["a1"]
    assert not legacy.has_table("accounts.teams")
    migrated = legacy.run("migrate", "--branch", "accounts", "--json").json()
    assert [one["revision"] for one in migrated["applied"]] == ["a2"]


def test_stamp_goes_back_too(shop: Shop) -> None:
    """What is not applied any more is not in the ledger's applied set, and pending again."""
    shop.install("accounts", {"1": revision_source("a1"), "2": revision_source("a2", "a1")})
    assert shop.run("migrate").returncode == 0
    assert shop.run("stamp", "accounts", "a1").returncode == 0
    assert shop.execute("SELECT outcome FROM corehost.step WHERE revision = 'a2'") == [("reverted",)]
    assert shop.run("check", "--json").json()["pending"] == {"accounts": ["a2"]}
    assert shop.run("stamp", "accounts", "base").returncode == 0
    assert shop.run("check", "--json").json()["pending"] == {"accounts": ["a1", "a2"]}
    assert shop.run("migrate").returncode == 0
    assert shop.run("check").returncode == 0


@pytest.mark.parametrize(
    ("branch", "target"), [("accounts", "a9"), ("nobody", "heads"), ("corehost", "base")]
)
def test_stamp_refuses_what_there_is_not(shop: Shop, branch: str, target: str) -> None:
    """An unknown revision or branch, and the ledger's own branch: exit 2, nothing written."""
    shop.install("accounts")
    finished = shop.run("stamp", branch, target)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr


def test_stamp_ends_a_doubt(shop: Shop) -> None:
    """Who says where the branch is has settled what was in doubt there."""
    half = 'with op.get_context().autocommit_block():\n    op.execute("SELECT 1")\nop.execute("SELECT 1/0")'
    shop.install("accounts", {"1": revision_source("a1", upgrade=half)})
    assert shop.run("migrate").returncode == 1
    assert shop.run("check").returncode == 5
    assert shop.run("stamp", "accounts", "heads").returncode == 0
    assert shop.run("check").returncode == 0


def test_stamp_takes_a_branch_without_revisions(shop: Shop) -> None:
    """There is nothing to say of it, and nothing that breaks."""
    shop.install("accounts", {})
    (shop.site / "accounts" / "migrations" / "versions").mkdir(parents=True)
    finished = shop.run("stamp", "accounts", "heads")
    assert finished.returncode == 0, finished.stderr


def test_stamp_makes_room_for_long_ids(shop: Shop) -> None:
    """Alembic's own version table takes 32 characters."""
    long = "a" * 40
    shop.install("accounts", {"1": revision_source(long, upgrade=create_table("users"))})
    shop.execute(
        "CREATE SCHEMA accounts;CREATE TABLE accounts.alembic_version (version_num varchar(32) PRIMARY KEY)"
    )
    finished = shop.run("stamp", "accounts", "heads")
    assert finished.returncode == 0, finished.stderr
    assert shop.execute("SELECT version_num FROM accounts.alembic_version") == [(long,)]


@pytest.mark.parametrize("table", ["public.alembic_version", "accounts.alembic_version"])
@pytest.mark.parametrize("command", [("adopt", "--yes"), ("stamp", "accounts", "a1")], ids=lambda one: one[0])
def test_nobody_waits_for_ever_for_a_table(legacy: Shop, table: str, command: tuple[str, ...]) -> None:
    """A table that somebody has locked is waited for as long as lock_timeout says: exit 4."""
    legacy.execute("CREATE TABLE accounts.alembic_version (version_num varchar(32) PRIMARY KEY)")
    with psycopg.connect(legacy.database) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        finished = legacy.run(*command, extra={"COREHOST_LOCK_TIMEOUT": "100ms"})
    expected = 0 if (command[0], table) == ("stamp", "public.alembic_version") else 4
    assert finished.returncode == expected, finished.stderr
    assert ("do it again" in finished.stderr) == bool(expected)


def test_a_version_table_with_more_columns_is_one(legacy: Shop) -> None:
    """Alembic lets a project add columns to its own; what is called otherwise and has more is another's."""
    legacy.execute(
        """ALTER TABLE public.alembic_version ADD COLUMN applied_at timestamptz DEFAULT now();
           CREATE TABLE public.releases (version_num text, name text);
           INSERT INTO releases VALUES ('9', 'nine')"""
    )
    finished = legacy.run("adopt", "--json")
    assert finished.returncode == 0, finished.stderr
    assert branches(finished.json())["orders"] == ("public.alembic_version", ["o1"], False)
