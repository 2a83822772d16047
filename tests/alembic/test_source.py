"""What a revision file's source tells of data and transaction, and whether it compiles."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from corehost.alembic.source import compile_file, source_facts
from corehost.core.errors import RevisionFileError
from corehost.core.revision import SourceFacts
from support.revision_files import FIRST, Write

Facts = Callable[[str], SourceFacts]

PREAMBLE = "import sqlalchemy as sa\nfrom alembic import op\n\n" + FIRST


@pytest.fixture
def facts(write: Write) -> Facts:
    """The facts of a file with a usual beginning and this source after it, the same by either way."""

    def of(source: str) -> SourceFacts:
        path = write("a1.py", PREAMBLE + source)
        found = source_facts(path)
        assert source_facts(path, compile_file(path)) == found
        return found

    return of


@pytest.fixture
def upgrade(facts: Facts) -> Facts:
    """The facts of a file whose upgrade consists of these statements."""

    def of(statements: str) -> SourceFacts:
        body = "".join(f"    {line}\n" for line in statements.splitlines())
        return facts(f"def upgrade():\n    bind = op.get_bind()\n{body}\n\ndef downgrade():\n    pass\n")

    return of


def test_a_plain_revision_is_transactional_and_keeps_its_data(upgrade: Facts) -> None:
    """Without marks every fact has its default."""
    assert upgrade("op.create_table('t', sa.Column('id', sa.Integer, primary_key=True))") == SourceFacts()


@pytest.mark.parametrize(
    "statements",
    [
        "with op.get_context().autocommit_block():\n    op.create_index('i', 't', ['c'])",
        "op.create_index('i', 't', ['c'], postgresql_concurrently=True)",
        "bind.commit()",
        "sa.orm.Session(bind).commit()",
        "op.execute('COMMIT')",
        "op.execute(sa.text('commit work'))",
        "op.execute('UPDATE t SET a = 1; COMMIT; UPDATE t SET a = 2')",
        "op.execute('END')",
        "op.execute('CREATE TABLE t (id int); BEGIN; DELETE FROM t; END')",
        "op.execute('ROLLBACK')",
        "op.execute('VACUUM ANALYZE t')",
        "bind.exec_driver_sql('  -- now\\n  Commit  ; ')",
        "op.execute('CREATE UNIQUE INDEX CONCURRENTLY i ON t (c)')",
        "op.execute('DROP INDEX CONCURRENTLY i')",
        "op.execute('REINDEX TABLE CONCURRENTLY t')",
        "op.execute(f'create index concurrently {name} on t (c)')",
        "sql = 'COMMIT'\nop.execute(sql)",
        "for sql in ('SELECT 1', 'COMMIT'):\n    op.execute(sql)",
        "bind.execution_options(isolation_level='AUTOCOMMIT')",
        "op.execute('CREATE DATABASE d')",
    ],
)
def test_what_ends_the_transaction_is_seen(upgrade: Facts, statements: str) -> None:
    """Blocks, calls and texts that commit, or that refuse a transaction, make a step not transactional."""
    assert not upgrade(statements).transactional


@pytest.mark.parametrize(
    "statements",
    [
        "op.execute('ROLLBACK TO SAVEPOINT s')",
        "op.execute('SAVEPOINT s')",
        "op.execute(\"INSERT INTO t VALUES ('COMMIT; END')\")",
        "op.execute('DO $$ BEGIN PERFORM 1; END $$')",
        "op.execute('CREATE FUNCTION f() RETURNS void AS $f$ BEGIN PERFORM 1; END; $f$ LANGUAGE plpgsql')",
        "op.execute('CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END')",
        "op.add_column('t', sa.Column('state', sa.Enum('begin', 'commit', 'end', name='states')))",
        "op.execute('SELECT 1  -- ; COMMIT\\n')",
        "op.execute('CREATE INDEX i ON t (c)')",
        "op.execute('CREATE TABLE concurrently (id int)')",
    ],
)
def test_words_that_end_no_transaction_are_told_apart(upgrade: Facts, statements: str) -> None:
    """Savepoints, bodies of functions, quoted text, comments and enum values keep the transaction."""
    assert upgrade(statements).transactional


@pytest.mark.parametrize(
    "statements",
    [
        "op.drop_table('t')",
        "op.drop_column('t', 'c')",
        "with op.batch_alter_table('t') as batch:\n    batch.drop_column('c')",
        "op.execute('DROP TABLE t')",
        "op.execute('drop table if exists t cascade')",
        "op.execute(sa.text('DROP SCHEMA s CASCADE'))",
        "op.execute('DROP DATABASE d')",
        "op.execute('DROP TYPE mood CASCADE')",
        "op.execute('TRUNCATE t')",
        "op.execute('DELETE FROM t WHERE old')",
        "op.execute('WITH gone AS (SELECT 1) DELETE FROM t USING gone')",
        "op.execute('SELECT 1; TRUNCATE t;')",
        "op.execute('/* bye */ DROP TABLE t')",
        "op.execute(f'DROP TABLE {name}')",
        "op.execute('DROP TABLE ' + name)",
        "op.execute('DROP TABLE %s' % name)",
        "op.execute('DROP TABLE {}'.format(name))",
        "op.execute('ALTER TABLE t DROP COLUMN c')",
        "op.execute('ALTER TABLE ONLY t ADD d int, DROP IF EXISTS c')",
        "op.execute('ALTER TABLE t ALTER COLUMN c TYPE smallint')",
        "op.execute('ALTER TABLE t ALTER c SET DATA TYPE varchar(10)')",
        "op.execute('DO $$ BEGIN IF true THEN DELETE FROM t; END IF; END $$')",
        "op.execute(\"DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$\")",
        "bind.execute(sa.delete(sa.table('t')))",
        "bind.execute(sa.table('t').delete())",
        "sa.MetaData().drop_all(bind)",
        "if bind.dialect.name == 'postgresql':\n    op.drop_table('t')",
        "op.alter_column('t', 'c', type_=sa.Integer)",
        "op.alter_column('t', 'c', type_=sa.String(20), existing_type=sa.String(50))",
        "op.alter_column('t', 'c', type_=sa.Integer(), existing_type=sa.BigInteger())",
        "op.alter_column('t', 'c', type_=sa.Numeric(8, 4), existing_type=sa.Numeric(8, 2))",
        "op.alter_column('t', 'c', type_=sa.Enum('a'), existing_type=sa.Enum('a', 'b'))",
        "op.alter_column('t', 'c', type_=sa.String(2), existing_type=sa.Enum('a', 'bcd'))",
        "op.alter_column('t', 'c', type_=new_type, existing_type=old_type)",
    ],
)
def test_what_drops_or_narrows_data_is_seen(upgrade: Facts, statements: str) -> None:
    """Operations and texts that drop, empty or narrow tables and columns make a step destructive."""
    assert upgrade(statements).destructive


@pytest.mark.parametrize(
    "statements",
    [
        "op.drop_index('i')",
        "op.drop_constraint('c', 't')",
        "sa.Enum(name='mood').drop(bind)",
        "op.execute('DROP TYPE mood')",
        "op.execute('DROP INDEX i')",
        "op.execute('DROP VIEW v')",
        "op.execute('ALTER TABLE t DROP CONSTRAINT c')",
        "op.execute('ALTER TABLE t ALTER COLUMN c DROP NOT NULL, ALTER COLUMN c DROP DEFAULT')",
        "op.execute('ALTER TABLE t ALTER COLUMN c TYPE text')",
        "op.execute('ALTER TABLE t ALTER COLUMN type SET NOT NULL')",
        "op.execute('UPDATE t SET a = 1')",
        "op.execute(\"INSERT INTO t VALUES ('DROP TABLE t; DROP TABLE t')\")",
        "op.execute('CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN DELETE FROM t; END $$ LANGUAGE x')",
        "op.execute('CREATE TABLE c (id int REFERENCES t ON DELETE CASCADE)')",
        "op.create_table('t', sa.Column('id', sa.Integer), comment='drop table t when done')",
        "print('drop table t by hand')",
        "raise RuntimeError('drop table t first')",
        "op.alter_column('t', 'c', nullable=False, existing_type=sa.String(50))",
        "op.alter_column('t', 'c', type_=sa.Text())",
        "op.alter_column('t', 'c', type_=sa.String)",
        "op.alter_column('t', 'c', type_=sa.String(length=50), existing_type=sa.VARCHAR(20))",
        "op.alter_column('t', 'c', type_=sa.BigInteger(), existing_type=sa.INTEGER())",
        "op.alter_column('t', 'c', type_=sa.Numeric(10, 4), existing_type=sa.Numeric(8, 2))",
        "op.alter_column('t', 'c', type_=sa.Double(), existing_type=sa.REAL())",
        "op.alter_column('t', 'c', type_=sa.Enum('a', 'b'), existing_type=sa.Enum('a'))",
        "op.alter_column('t', 'c', type_=sa.String(20), existing_type=sa.Enum('a', 'bcd'))",
        "op.alter_column('t', 'c', type_=sa.String(11), existing_type=sa.Integer())",
        "op.alter_column('t', 'c', type_=sa.DateTime(), existing_type=sa.Date())",
        "op.alter_column('t', 'c', type_=sa.JSON(), existing_type=sa.JSON())",
    ],
)
def test_what_keeps_data_is_told_apart(upgrade: Facts, statements: str) -> None:
    """Indexes, constraints, defaults, widened types and mere words are not destructive."""
    assert not upgrade(statements).destructive


def test_a_downgrade_does_not_count(facts: Facts) -> None:
    """Only what upgrade does is looked at."""
    found = facts("def upgrade():\n    pass\n\n\ndef downgrade():\n    op.drop_table('t')\n")
    assert not found.destructive


@pytest.mark.parametrize(
    "source",
    [
        "def clean():\n    op.drop_table('t')\n\n\ndef upgrade():\n    clean()\n",
        "def upgrade():\n    step()\n\n\ndef step():\n    last()\n\n\ndef last():\n    op.drop_table('t')\n",
        "SQL = 'DROP TABLE t'\n\n\ndef upgrade():\n    op.execute(SQL)\n",
        "def clean():\n    op.drop_table('t')\n\n\ndef upgrade():\n    for f in (clean,):\n        f()\n",
        "def clean():\n    op.drop_table('t')\n\n\nupgrade = clean\n",
        "class C:\n    def f(self):\n        op.drop_table('t')\n\n\ndef upgrade():\n    C().f()\n",
        "def upgrade(x):\n    globals()[f'upgrade_{x}']()\n\n\ndef upgrade_a():\n    op.drop_table('t')\n",
        "if True:\n    def clean():\n        op.drop_table('t')\n\n\ndef upgrade():\n    clean()\n",
    ],
)
def test_what_upgrade_mentions_of_its_module_counts(facts: Facts, source: str) -> None:
    """Functions, classes and constants of the same file are followed by name."""
    assert facts(source).destructive


def test_a_sum_of_a_thousand_texts_is_one_text(facts: Facts) -> None:
    """Its tree is deeper than Python recurses."""
    sums = " + ".join(["'DROP '", "'TABLE t'", *["'; SELECT 1'"] * 1000])
    assert facts(f"SQL = {sums}\nphase = 'expand'\n\n\ndef upgrade():\n    op.execute(SQL)\n").destructive


def test_a_docstring_is_no_statement(facts: Facts) -> None:
    """What the documentation says is not done."""
    assert not facts('def upgrade():\n    """DROP TABLE t"""\n').destructive


def test_attributes_are_read(facts: Facts) -> None:
    """The three attributes that corehost reads of a revision file."""
    found = facts(
        "phase = 'contract'\nretry_safe = True\nlock_timeout = '2s'\n\n\ndef upgrade():\n    pass\n"
    )
    assert (found.phase, found.retry_safe, found.lock_timeout) == ("contract", True, "2s")


def test_attributes_may_be_computed(facts: Facts) -> None:
    """What is not literal is taken from the executed file."""
    found = facts("seconds = 3\nlock_timeout = f'{seconds}s'\n\n\ndef upgrade():\n    pass\n")
    assert found.lock_timeout == "3s"


def test_literal_attributes_cost_no_execution(facts: Facts) -> None:
    """The file is not executed for them."""
    assert facts("phase = 'expand'\nraise RuntimeError\n").phase == "expand"


def test_a_local_name_is_no_attribute(facts: Facts) -> None:
    """A variable of upgrade that is named like an attribute does not count."""
    assert facts("def upgrade():\n    phase = 'moon'\n    lock_timeout = 5\n") == SourceFacts()


@pytest.mark.parametrize(
    ("attribute", "message", "hint"),
    [
        (
            "phase = 'contact'",
            "phase is 'contact', neither 'expand' nor 'contract'",
            "did you mean 'contract'?",
        ),
        ("phase = 1", "phase is 1, neither 'expand' nor 'contract'", None),
        ("retry_safe = 'yes'", "retry_safe is 'yes', neither True nor False", "write retry_safe = True"),
        ("blocking = 'no'", "blocking is 'no', neither True nor False", "write blocking = False"),
        (
            "lock_timeout = '2'",
            "lock_timeout is '2', not a duration with its unit",
            'write lock_timeout = "2s"',
        ),
        ("lock_timeout = 2", "lock_timeout is 2, not a duration with its unit", 'write lock_timeout = "2s"'),
    ],
)
def test_a_wrong_attribute_is_refused(facts: Facts, attribute: str, message: str, hint: str | None) -> None:
    """The error shows the value and what to write."""
    with pytest.raises(RevisionFileError) as caught:
        facts(attribute + "\n")
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_wrong_attribute_is_told_with_its_file(write: Write) -> None:
    """The error names the file."""
    path = write("a1.py", FIRST + "retry_safe = 1\n")
    with pytest.raises(RevisionFileError) as caught:
        source_facts(path)
    assert caught.value.where.file == str(path)


@pytest.fixture
def compiled(write: Write) -> Callable[[str], Path]:
    """A compiled file without its source."""

    def make(source: str) -> Path:
        path = write("a1.py", PREAMBLE + source)
        py_compile.compile(str(path), f"{path}c")
        path.unlink()
        return Path(f"{path}c")

    return make


@pytest.mark.parametrize(
    ("statement", "transactional", "destructive"),
    [
        ("op.create_table('t')", True, False),
        ("op.drop_table('t')", True, True),
        ("op.execute('DROP TABLE t')", True, True),
        ("op.alter_column('t', 'c', type_=sa.Integer())", True, True),
        ("op.execute('COMMIT')", False, False),
        ("op.get_context().autocommit_block()", False, False),
    ],
)
def test_a_file_without_source_is_judged_by_its_code(
    compiled: Callable[[str], Path], statement: str, transactional: bool, destructive: bool
) -> None:
    """Names and texts of the code that upgrade reaches are held to the same rules."""
    path = compiled(
        f"phase = 'expand'\n\n\ndef step():\n    {statement}\n\n\ndef upgrade():\n    step()\n\n\n"
        "def downgrade():\n    op.drop_table('t')\n    op.execute('COMMIT')\n"
    )
    assert source_facts(path) == SourceFacts(
        transactional=transactional, destructive=destructive, phase="expand"
    )


def test_compiling_a_file_runs_nothing(write: Write) -> None:
    """A file that would raise compiles."""
    assert compile_file(write("a1.py", "raise RuntimeError\n")).co_name == "<module>"


def test_compiling_fills_the_cache_that_executing_uses(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled before the first step is not compiled again in it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write("a1.py")
    compile_file(path)
    assert Path(importlib.util.cache_from_source(str(path))).is_file()


def test_a_file_without_source_compiles(compiled: Callable[[str], Path]) -> None:
    """Its code is there already."""
    assert "upgrade" in compile_file(compiled("def upgrade():\n    pass\n")).co_names


def test_a_syntax_error_is_refused_with_line_and_text(write: Write) -> None:
    """The error says where in the file, and shows what is there."""
    path = write("a1.py", "revision = 'a1'\ndef upgrade(:\n    pass\n")
    with pytest.raises(RevisionFileError) as caught:
        compile_file(path)
    assert caught.value.message == "the revision file does not compile: line 2: invalid syntax: def upgrade(:"
    assert caught.value.where.file == str(path)


@pytest.mark.parametrize(
    "content", [b"a = 1\x00", b"# coding: nonsense\n", b"a = '\xff'", b"(" * 500, b"a = 1\n  b = 2\n"]
)
def test_whatever_does_not_compile_is_refused(write: Write, content: bytes) -> None:
    """NUL bytes, unknown encodings, undecodable bytes and deep nesting are errors of the file."""
    with pytest.raises(RevisionFileError, match="the revision file does not compile: "):
        compile_file(write("a1.py", content))


@pytest.mark.parametrize(
    "content", [b"", b"garbage garbage garbage", importlib.util.MAGIC_NUMBER + bytes(12)]
)
def test_a_compiled_file_that_is_damaged_is_refused(write: Write, content: bytes) -> None:
    """As is one of another version of Python."""
    with pytest.raises(RevisionFileError, match="the compiled revision file cannot be used"):
        compile_file(write("a1.pyc", content))


@pytest.mark.parametrize("read", [compile_file, source_facts])
def test_a_file_that_is_gone_is_refused(versions: Path, read: Callable[[Path], object]) -> None:
    """Between the reading of the headers and the pass a file can vanish."""
    with pytest.raises(RevisionFileError, match="cannot be read: No such file"):
        read(versions / "gone.py")


def test_a_warning_of_somebody_elses_source_is_not_passed_on(write: Write) -> None:
    """An invalid escape in a package is not the operator's business, nor an error under ``-W error``."""
    path = write("a1.py", FIRST + "PATTERN = '\\d'\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_file(path)
        source_facts(path)


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("def upgrade():\n    op.create_table('t')\n\n\ndef downgrade():\n    op.drop_table('t')\n", True),
        ("def upgrade():\n    downgrade()\n\n\ndef downgrade():\n    op.drop_table('t')\n", False),
        ("def downgrade():\n    op.drop_table('t')\n\n\nupgrade = downgrade\n", False),
        ("def downgrade():\n    pass\n\n\nPARTS = ('DROP', 'TABLE')\n", False),
        ("phase = 'expand'\n", False),
    ],
)
def test_a_file_whose_code_is_plain_is_not_parsed(write: Write, source: str, plain: bool) -> None:
    """Most revisions only drop something in downgrade; whoever reads their source once more finds no file."""
    path = write("a1.py", PREAMBLE + source)
    code = compile_file(path)
    Path(path).unlink()
    if plain:
        assert source_facts(path, code) == SourceFacts()
    else:
        with pytest.raises(RevisionFileError):
            source_facts(path, code)
