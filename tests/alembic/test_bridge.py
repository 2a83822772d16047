"""What a revision may do, and what comes of it: run through Alembic on a real database."""

from __future__ import annotations

import signal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
import pytest

from corehost.core.branch import Branch
from corehost.core.errors import StepFailed
from corehost.core.results import MigrationReport
from support.packages import create_table, revision_source
from support.passes import run_pass, written_branch
from support.processes import Finished, Processes
from support.shop import Shop

TESTS = Path(__file__).parents[1]
RUN = """\
import sys
from pathlib import Path
from support.passes import run_pass, written_branch
folder, url = sys.argv[1:]
run_pass(url, written_branch(Path(folder), "ant", {}))
"""
HELPED = "from ant.shared import work\nwork(op.get_bind())"
HELPER = """\
import sqlalchemy as sa


def work(bind):
    sa.orm.Session(bind=bind).execute(sa.text("CREATE TABLE t (id int)"))
"""
KEPT = 'op.execute("CREATE TABLE kept (id int)")\n'
EARLY_COMMITS = {
    "autocommit_block": "with op.get_context().autocommit_block():\n    pass\n",
    "commit of the connection": "op.get_bind().commit()\n",
    "COMMIT": 'op.execute("COMMIT")\n',
    "commit behind a comment": 'op.execute("/* done */ commit;")\n',
    "END": 'op.execute("end transaction")\n',
    "COMMIT among others": 'op.execute("CREATE TABLE more (id int); COMMIT; SELECT 1")\n',
    "COMMIT of the driver's": 'op.get_bind().exec_driver_sql("COMMIT AND CHAIN")\n',
}


class Database:
    """A database, the folder of a test's branches, and what a pass leaves in it."""

    def __init__(self, url: str, folder: Path, processes: Processes):
        self.url = url
        self._folder = folder
        self._processes = processes

    def branch(self, name: str, *upgrades: str, **given: Any) -> Branch:
        """A branch with a revision ``<name>1``, ``<name>2``, … for each upgrade."""
        sources = {}
        for number, upgrade in enumerate(upgrades, 1):
            down = f"{name}{number - 1}" if number > 1 else None
            sources[f"{name}{number}"] = revision_source(f"{name}{number}", down, upgrade=upgrade)
        return written_branch(self._folder, name, sources, **given)

    def written(self, file: str, source: str) -> Branch:
        """Branch ant with this revision file beside those that it has."""
        return written_branch(self._folder, "ant", {file: source})

    def migrate(self, *branches: Branch, **settings: Any) -> MigrationReport:
        """One pass, in this process."""
        return run_pass(self.url, *branches, **settings)

    def failure(self, *branches: Branch) -> StepFailed:
        """How a pass fails."""
        with pytest.raises(StepFailed) as caught:
            self.migrate(*branches)
        return caught.value

    def run(self) -> Finished:
        """One pass over branch ant, in a process of its own."""
        process = self._processes.python(RUN, str(self._folder), self.url, path=[TESTS])
        return process.wait()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload, no-any-return]

    def values(self, query: str) -> list[Any]:
        """The first column of what a query finds."""
        return [row[0] for row in self.rows(query)]

    def execute(self, statements: str) -> None:
        """Run statements."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statements)  # type: ignore[call-overload]

    def steps(self, branch: str = "ant") -> list[tuple[str, str, bool, bool]]:
        """The ledger's rows of a branch: revision, outcome, open, partial."""
        found = self.rows("SELECT branch, revision, outcome, open, partial FROM corehost.step ORDER BY id")
        return [row[1:] for row in found if row[0] == branch]  # type: ignore[misc]

    def tables(self, schema: str = "ant") -> list[str]:
        """The tables of a schema but its version table, sorted."""
        found = self.rows("SELECT schemaname, tablename FROM pg_tables ORDER BY tablename")
        return [table for owner, table in found if owner == schema and table != "alembic_version"]


@pytest.fixture
def db(database: str, tmp_path: Path, processes: Processes) -> Database:
    """An empty database."""
    return Database(database, tmp_path, processes)


CONCURRENTLY = """\
op.create_table("invoices", sa.Column("id", sa.Integer))
with op.get_context().autocommit_block():
    op.create_index("invoices_id", "invoices", ["id"], postgresql_concurrently=True)
op.create_table("receipts", sa.Column("id", sa.Integer))
"""


def test_an_index_is_built_concurrently_in_an_autocommit_block(db: Database) -> None:
    """The statements before and behind it are there too."""
    db.migrate(db.branch("ant", CONCURRENTLY))
    assert db.values("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ant.invoices_id'::regclass") == [
        True
    ]
    assert db.tables() == ["invoices", "receipts"]


def test_nothing_cuts_a_concurrent_build_short(db: Database) -> None:
    """It waits for others by design: lock_timeout is off in the block, and back behind it."""
    upgrade = """\
        op.execute("CREATE TABLE seen (place int, lock_timeout text)")
        note = "INSERT INTO seen SELECT {}, current_setting('lock_timeout')"
        op.execute(note.format(1))
        with op.get_context().autocommit_block():
            op.execute(note.format(2))
        op.execute(note.format(3))
    """
    db.migrate(db.branch("ant", upgrade), lock_timeout="700ms")
    assert db.values("SELECT lock_timeout FROM ant.seen ORDER BY place") == ["700ms", "0", "700ms"]


@pytest.mark.parametrize("early", EARLY_COMMITS.values(), ids=EARLY_COMMITS)
def test_a_step_that_commits_in_its_middle_has_one_row_in_the_end(db: Database, early: str) -> None:
    """It is applied, and nothing of it is open."""
    db.migrate(db.branch("ant", KEPT + early + create_table("rest")))
    assert db.steps() == [("ant1", "applied", False, True)]
    assert {"kept", "rest"} <= set(db.tables())
    assert db.values("SELECT version_num FROM ant.alembic_version") == ["ant1"]


@pytest.mark.parametrize("early", EARLY_COMMITS.values(), ids=EARLY_COMMITS)
def test_a_step_that_was_killed_after_an_early_commit_is_known(db: Database, early: str) -> None:
    """What was committed says in the same transaction that the step was begun."""
    db.branch("ant", KEPT + early + "import os\nos.kill(os.getpid(), 9)")
    assert db.run().returncode == -signal.SIGKILL
    assert "kept" in db.tables()
    assert db.steps() == [("ant1", "started", True, True)]
    assert db.values("SELECT version_num FROM ant.alembic_version") == []


def test_a_step_that_was_killed_before_any_commit_leaves_nothing(db: Database) -> None:
    """Neither its tables nor a row: it never was."""
    db.branch("ant", KEPT + "import os\nos.kill(os.getpid(), 9)")
    assert db.run().returncode == -signal.SIGKILL
    assert (db.tables(), db.steps()) == ([], [])


@pytest.mark.parametrize("early", EARLY_COMMITS.values(), ids=EARLY_COMMITS)
def test_a_step_that_fails_after_an_early_commit_is_recorded_as_partial(db: Database, early: str) -> None:
    """A part of it is there, and somebody has to look."""
    error = db.failure(db.branch("ant", KEPT + early + 'op.execute("SELECT 1/0")'))
    assert "a part of it is committed" in str(error)
    assert db.steps() == [("ant1", "failed", True, True)]


def test_a_step_that_fails_leaves_nothing_but_its_record(db: Database) -> None:
    """The tables are rolled back; file and line are told."""
    branch = db.branch("ant", KEPT + 'op.execute("SELECT 1/0")')
    error = db.failure(branch)
    assert error.where.file == f"{branch.locations[0]}/ant1.py:14"
    assert error.message == "revision ant1 failed: DivisionByZero: division by zero"
    assert (db.tables(), db.steps()) == ([], [("ant1", "failed", True, False)])


FUNCTION = '''\
op.execute("""
CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN 42;
END
$$
""")
'''


def test_the_end_of_a_function_is_no_commit(db: Database) -> None:
    """A step that fails behind it has left nothing."""
    db.failure(db.branch("ant", KEPT + FUNCTION + 'op.execute("SELECT 1/0")'))
    assert (db.tables(), db.steps()) == ([], [("ant1", "failed", True, False)])


@pytest.mark.parametrize("rolled_back", ["with bind.begin_nested() as nested:", "if True:"])
def test_a_step_is_recorded_although_it_has_rolled_back_a_part(db: Database, rolled_back: str) -> None:
    """A function in it looks like a commit, and the row that says so is rolled back with it."""
    end = "nested" if "nested" in rolled_back else "bind"
    upgrade = f"bind = op.get_bind()\n{rolled_back}\n"
    upgrade += "".join(f"    {line}\n" for line in [*FUNCTION.splitlines(), f"{end}.rollback()"])
    db.migrate(db.branch("ant", upgrade + create_table("rest")))
    assert db.tables() == ["rest"]
    assert [step[:3] for step in db.steps()] == [("ant1", "applied", False)]


def test_an_early_commit_is_known_although_the_first_was_rolled_back(db: Database) -> None:
    """What 'started' says is written again."""
    db.branch(
        "ant",
        FUNCTION
        + "op.get_bind().rollback()\n"
        + KEPT
        + "op.get_bind().commit()\nimport os\nos.kill(os.getpid(), 9)",
    )
    assert db.run().returncode == -signal.SIGKILL
    assert db.tables() == ["kept"]
    assert db.steps() == [("ant1", "started", True, True)]


CONVENTION = """\
import sqlalchemy as sa

class models:
    metadata = sa.MetaData(naming_convention={"pk": "pk_of_%(table_name)s", "uq": "one_%(column_0_name)s"})
"""


def test_the_naming_convention_of_the_metadata_is_honoured(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constraints without a name get the one that the models would give them."""
    (tmp_path / "ant_models.py").write_text(CONVENTION)
    monkeypatch.syspath_prepend(tmp_path)
    upgrade = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Text))\n'
    upgrade += 'op.create_unique_constraint(None, "t", ["n"])'
    db.migrate(db.branch("ant", upgrade, metadata="ant_models:models.metadata"))
    constraints = db.values(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'ant.t'::regclass AND contype IN ('p', 'u')"
    )
    assert sorted(constraints) == ["one_n", "pk_of_t"]


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ("ant_nothing:metadata", "metadata module 'ant_nothing' does not import: ModuleNotFoundError"),
        (
            "corehost:models.metadata",
            "metadata 'corehost:models.metadata' names 'models', which is not there",
        ),
    ],
)
def test_metadata_that_cannot_be_had_fails_the_step(db: Database, metadata: str, told: str) -> None:
    """Whose it is, and what of it is wrong."""
    assert told in str(db.failure(db.branch("ant", create_table("t"), metadata=metadata)))


def test_sqlalchemy_orm_is_there_without_an_import(db: Database) -> None:
    """Files in the wild say `sa.orm`: an env.py that imports models has it loaded."""
    upgrade = 'sa.orm.Session(bind=op.get_bind()).execute(sa.text("CREATE TABLE t (id int)"))'
    db.branch("ant", upgrade)
    finished = db.run()
    assert (finished.returncode, db.tables()) == (0, ["t"]), finished.stderr


def test_sqlalchemy_orm_is_there_for_what_a_revision_imports(shop: Shop) -> None:
    """A module beside the package's migrations relies on it just the same."""
    package = shop.install("ant", {"a1": revision_source("a1", upgrade=HELPED)})
    (package / "shared.py").write_text(HELPER)
    finished = shop.run("migrate")
    assert finished.returncode == 0, finished.stderr
    assert shop.has_table("ant.t")


def test_a_revision_may_switch_the_drivers_autocommit(db: Database) -> None:
    """Wherever it stands in a pass: the step before it leaves no transaction behind."""
    switched = (
        "raw = op.get_bind().connection.driver_connection\nraw.autocommit = True\n"
        'op.execute("CREATE INDEX CONCURRENTLY i ON t (id)")\nraw.autocommit = False'
    )
    db.migrate(db.branch("ant", create_table("t"), switched, create_table("u")))
    assert [step[1] for step in db.steps()] == ["applied"] * 3


SEEN = """\
from alembic import context
found = {
    "x": context.get_x_argument(as_dictionary=True),
    "option": context.config.get_main_option("some_option"),
    "setting": op.get_context().opts["some_option"],
    "own_setting": op.get_context().opts["transaction_per_migration"],
    "ini_section": context.config.get_section(context.config.config_ini_section)["some_option"],
    "database": context.get_bind().execute(sa.text("SELECT current_database()")).scalar(),
    "same": context.get_bind() is op.get_bind(),
    "offline": context.is_offline_mode(),
    "script": context.get_context().script.get_revision("ant1").revision,
    "script_of_context": context.script.get_current_head(),
    "head": context.get_head_revision(),
    "destination": context.get_revision_argument(),
    "config": op.get_context().config is context.config,
    "location": context.config.get_main_option("script_location"),
}
import json
op.execute(sa.text("CREATE TABLE seen (found json)"))
op.get_bind().execute(sa.text("INSERT INTO seen VALUES (:found)"), {"found": json.dumps(found)})
"""


def test_a_revision_sees_what_alembic_context_shows(db: Database) -> None:
    """Arguments, options, connection and scripts, as under stock Alembic."""
    branch = db.branch(
        "ant",
        SEEN,
        x_arguments=MappingProxyType({"local-srid": "2154", "share": "100%"}),
        options=MappingProxyType({"some_option": "50% of it", "transaction_per_migration": "true"}),
    )
    db.migrate(branch)
    (found,) = db.values("SELECT found FROM ant.seen")
    database = found.pop("database")
    assert database in db.url
    assert found == {
        "x": {"local-srid": "2154", "share": "100%"},
        "option": "50% of it",
        "setting": "50% of it",
        "own_setting": False,
        "ini_section": "50% of it",
        "same": True,
        "offline": False,
        "script": "ant1",
        "script_of_context": "ant1",
        "head": "ant1",
        "destination": "ant1",
        "config": True,
        "location": str(branch.script_location),
    }


def test_the_modules_of_preload_are_imported_before_the_first_step(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages whose revisions expect their models to be loaded."""
    (tmp_path / "ant_preloaded.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    upgrade = "import sys\nassert 'ant_preloaded' in sys.modules"
    db.migrate(db.branch("ant", upgrade, preload=("ant_preloaded",)))
    assert db.steps() == [("ant1", "applied", False, False)]


NOTE = """\
op.execute("CREATE TABLE {table} (path text, role text, timeout text, statement text, level text, zone text)")
op.execute("INSERT INTO {table} SELECT current_setting('search_path'), current_user,"
    " current_setting('lock_timeout'), current_setting('statement_timeout'),"
    " current_setting('transaction_isolation'), current_setting('standard_conforming_strings')")
"""
SET_PATH = 'op.execute("SET search_path = public")'
LEVEL = "bind = op.get_bind()\nbind.commit()\nbind.execution_options(isolation_level={!r})"
MEDDLING = {
    "search_path": SET_PATH,
    "set_config": "op.execute(\"SELECT set_config('search_path', '', false)\")",
    "role": 'op.execute("SET ROLE pg_monitor")',
    "session authorization": 'op.execute("SET SESSION AUTHORIZATION pg_monitor")',
    "lock_timeout": "op.execute(\"SET lock_timeout = '5min'\")",
    "statement_timeout": "op.execute(\"SET statement_timeout = '5min'\")",
    "RESET ALL": 'op.execute("RESET ALL")',
    "SET LOCAL": 'op.execute("SET LOCAL search_path = public")',
    "in an autocommit block": f"with op.get_context().autocommit_block():\n    {SET_PATH}",
    "role and early commit": 'op.execute("SET ROLE pg_monitor")\nop.get_bind().commit()',
    "isolation level": LEVEL.format("SERIALIZABLE"),
    "autocommit": LEVEL.format("AUTOCOMMIT"),
}


@pytest.mark.parametrize("meddling", MEDDLING.values(), ids=MEDDLING)
def test_what_a_revision_does_to_the_session_does_not_reach_the_next(db: Database, meddling: str) -> None:
    """Neither in its own branch nor in another."""
    note = NOTE.format(table="seen")
    db.migrate(db.branch("ant", note, meddling, NOTE.format(table="seen_again")), db.branch("bee", note))
    (before,) = db.rows("SELECT * FROM ant.seen")
    (after,) = db.rows("SELECT * FROM ant.seen_again")
    (elsewhere,) = db.rows("SELECT * FROM bee.seen")
    assert before == after
    assert (elsewhere[0], elsewhere[1:]) == ('"bee", "public"', before[1:])


LETTING_GO = {
    "pg_advisory_unlock_all": 'op.execute("SELECT pg_advisory_unlock_all()")\n',
    "DISCARD ALL": 'with op.get_context().autocommit_block():\n    op.execute("DISCARD ALL")\n',
}


@pytest.mark.parametrize("letting_go", LETTING_GO.values(), ids=LETTING_GO)
def test_a_revision_that_lets_go_of_the_lock_does_not_commit(db: Database, letting_go: str) -> None:
    """Somebody else may be at work by now: it is recorded as failed."""
    error = db.failure(db.branch("ant", letting_go + create_table("t")))
    assert "lock was lost" in str(error)
    assert db.tables() == []
    assert [step[:3] for step in db.steps()] == [("ant1", "failed", True)]
    assert db.values("SELECT version_num FROM ant.alembic_version") == []


def test_a_role_that_a_revision_has_taken_stays_over_a_commit_in_its_middle(db: Database) -> None:
    """What it makes behind it belongs to that role too, although the ledger is written in between."""
    upgrade = """\
        op.execute("CREATE ROLE owner_of_ant; GRANT ALL ON SCHEMA ant TO owner_of_ant")
        op.execute("SET ROLE owner_of_ant")
        op.get_bind().commit()
        op.execute("CREATE TABLE t (id int)")
    """
    try:
        db.migrate(db.branch("ant", upgrade))
        assert db.values("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == ["owner_of_ant"]
    finally:
        db.execute("DROP OWNED BY owner_of_ant; DROP ROLE owner_of_ant")


@pytest.mark.parametrize("early", ["", "op.get_bind().commit()\n"], ids=["rolled back", "partial"])
def test_a_step_that_fails_with_another_role_is_recorded(db: Database, early: str) -> None:
    """The ledger is written with the role that connected."""
    error = db.failure(
        db.branch("ant", f'op.execute("SET ROLE pg_monitor")\n{early}op.execute("SELECT 1/0")')
    )
    assert "division by zero" in str(error)
    assert db.steps() == [("ant1", "failed", True, bool(early))]


def test_each_branch_has_its_own_default_schema(db: Database) -> None:
    """Revisions that ask the inspector would look into another plugin's schema otherwise."""
    upgrade = """\
        name = sa.inspect(op.get_bind()).default_schema_name
        op.execute(f"CREATE TABLE {name}.seen (id int)")
    """
    db.migrate(db.branch("ant", upgrade), db.branch("bee", upgrade, schema="hive"))
    assert (db.tables("ant"), db.tables("hive")) == (["seen"], ["alembic_version_bee", "seen"])


LONG = "2026_11_05_add_the_column_that_everybody_asked_for"


def test_a_long_revision_id_fits_into_the_version_table(db: Database) -> None:
    """Alembic's own column has 32 characters."""
    db.migrate(db.written(LONG, revision_source(LONG)))
    assert db.values("SELECT version_num FROM ant.alembic_version") == [LONG]


def test_a_long_revision_id_fits_into_a_version_table_that_was_there(db: Database) -> None:
    """It was made by a release whose ids were short, or by stock Alembic."""
    db.migrate(db.branch("ant", create_table("t")))
    db.migrate(db.written(LONG, revision_source(LONG, "ant1")))
    assert db.values("SELECT version_num FROM ant.alembic_version") == [LONG]


OWN_ENGINE = """\
engine = sa.create_engine(op.get_bind().engine.url.set(drivername="sqlite", host=None, database=":memory:"))
with engine.connect() as connection:
    connection.execute(sa.text("SELECT 1"))
engine.dispose()
"""
FUNCTION = """\
op.execute('''CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN 1;
END
$$''')
"""


@pytest.mark.parametrize("kind", sorted(EARLY_COMMITS.keys() - {"autocommit_block"}))
def test_a_revision_that_commits_by_itself_is_told_of(
    kind: str, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names the file."""
    db.migrate(db.branch("ant", KEPT + EARLY_COMMITS[kind]))
    (told,) = [record.getMessage() for record in caplog.records if "by itself" in record.getMessage()]
    assert "ant@ant1" in told
    assert "ant1.py" in told


def test_a_revision_with_an_engine_of_its_own_is_told_of(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection beside the one that holds the lock: a warning says to where, and names the file."""
    db.migrate(db.branch("ant", OWN_ENGINE))
    (told,) = [record.getMessage() for record in caplog.records if "of its own" in record.getMessage()]
    assert "sqlite://" in told
    assert "ant1.py" in told


@pytest.mark.parametrize("harmless", [EARLY_COMMITS["autocommit_block"], FUNCTION, create_table("t")])
def test_nothing_is_said_of_what_is_as_it_should_be(
    harmless: str, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Alembic's own way out of the transaction, and a function's body with an END, are no meddling."""
    db.migrate(db.branch("ant", harmless))
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def _with_type(table: str) -> str:
    return f'op.create_table("{table}", sa.Column("kind", sa.Enum("a", "b", name="kind")))'


def test_a_type_that_two_revisions_ask_for_is_made_once(db: Database) -> None:
    """As in one run of stock Alembic, whose histories rely on it."""
    db.migrate(db.branch("ant", _with_type("first"), _with_type("second")))
    assert db.values("SELECT typname FROM pg_type WHERE typtype = 'e'") == ["kind"]


def test_a_type_that_another_pass_has_made_is_there(db: Database) -> None:
    """Another instance may have run the first of the two; stock Alembic then fails on the second."""
    db.migrate(db.branch("ant", _with_type("first")))
    db.migrate(db.branch("ant", _with_type("first"), _with_type("second")))
    assert db.values("SELECT typname FROM pg_type WHERE typtype = 'e'") == ["kind"]


def test_a_type_of_another_schema_is_another_one(db: Database) -> None:
    """What public has of the same name does not keep the branch from making its own."""
    db.execute("CREATE TYPE public.kind AS ENUM ('x')")
    db.migrate(db.branch("ant", _with_type("first")))
    assert db.values(
        "SELECT typnamespace::regnamespace::text FROM pg_type WHERE typname = 'kind' ORDER BY 1"
    ) == [
        "ant",
        "public",
    ]
