"""What corehost's own rules find in a revision's statements, and what they leave alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from corehost.core.errors import ConfigurationError
from support.linted import lint_branches
from support.packages import revision_source

FIRST = """\
op.execute('''
CREATE TABLE items (id bigint PRIMARY KEY, code varchar(20) NOT NULL, n int DEFAULT 1, "Mixed; name" text);
CREATE VIEW seen AS SELECT * FROM items;  -- a comment; with a semicolon
CREATE UNIQUE INDEX items_code ON items (code);
CREATE TYPE mood AS ENUM ('a', 'b')
''')"""
TAKES_AWAY = [
    ("DROP TABLE items", "drops table items"),
    ("DROP TABLE IF EXISTS data.items CASCADE", "drops table items"),
    ("DROP VIEW seen", "drops view seen"),
    ("DROP TYPE mood", "drops type mood"),
    ("ALTER TABLE items DROP COLUMN n", "drops column items.n"),
    ('ALTER TABLE ONLY data.items DROP "Mixed; name"', "drops column items.Mixed; name"),
    ("ALTER TABLE items RENAME n TO m", "renames column items.n"),
    ("ALTER TABLE items RENAME TO things", "renames table items"),
    ("ALTER TABLE items SET SCHEMA public", "moves table items"),
    ('ALTER TABLE items ALTER "Mixed; name" SET NOT NULL', "takes no NULL any more"),
    ("ALTER TABLE items ALTER COLUMN code TYPE varchar(10)", "from varchar(20) to varchar(10)"),
    ("ALTER TABLE items ALTER n TYPE smallint USING n::smallint", "from int to smallint"),
    ("ALTER TABLE items ADD COLUMN x int NOT NULL", "adds the required column items.x"),
    ("ALTER TABLE items ADD CONSTRAINT c CHECK (n > 0) NOT VALID", "adds a constraint (check) to items"),
    ("ALTER TABLE items ADD UNIQUE (n)", "adds a constraint (unique) to items"),
    ("ALTER TABLE items ADD FOREIGN KEY (n) REFERENCES items (id)", "adds a constraint (foreign key)"),
    ("CREATE UNIQUE INDEX CONCURRENTLY u ON items USING btree (n)", "allows no equal values"),
    ("DELETE FROM items WHERE id = 1", "deletes rows of items"),
    ("TRUNCATE items", "deletes rows of items"),
    ("ALTER TYPE mood RENAME VALUE 'a' TO 'c'", "renames or moves"),
    ("REVOKE SELECT ON items FROM PUBLIC", "takes rights away"),
    ("SELECT 1; DROP TABLE unheard_of", "drops table unheard_of"),
]
HARMLESS = [
    "ALTER TABLE items ADD COLUMN x int",
    "ALTER TABLE items ADD COLUMN x int NOT NULL DEFAULT 0, ADD COLUMN y text",
    "ALTER TABLE items ADD COLUMN x bigint GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE items ALTER n SET NOT NULL",
    "ALTER TABLE items ALTER code TYPE text",
    "ALTER TABLE items ALTER code TYPE character varying(40)",
    "ALTER TABLE items ALTER n TYPE bigint",
    "ALTER TABLE items ALTER code DROP NOT NULL, DROP CONSTRAINT IF EXISTS c, RENAME CONSTRAINT a TO b",
    "ALTER TABLE items VALIDATE CONSTRAINT c",
    "ALTER TABLE items ADD COLUMN x bigint; ALTER TABLE items ADD FOREIGN KEY (x) REFERENCES items (id)",
    "ALTER TABLE items ADD COLUMN x bigint; ALTER TABLE items ADD CHECK (x > 0)",
    "ALTER TABLE items ADD COLUMN x bigint; ALTER TABLE items DROP COLUMN x",
    "CREATE TABLE others (id int); ALTER TABLE others DROP COLUMN id; DROP TABLE others",
    "CREATE INDEX i ON items (n)",
    "DROP INDEX items_code",
    "DROP VIEW seen; CREATE VIEW seen AS SELECT id FROM items",
    "COMMENT ON TABLE items IS 'DROP TABLE items; TRUNCATE items'",
    "DO $$ BEGIN RAISE NOTICE 'DROP TABLE items'; END $$",
]
UNBOUNDED = [
    "UPDATE items SET n = 2",
    "UPDATE items SET n = 2 WHERE n IS NULL",
    "UPDATE items SET n = 2 WHERE n = 1",
    "UPDATE items i SET n = o.n FROM items o WHERE i.id = o.id",
    "WITH x AS (SELECT 1) UPDATE items SET n = 2",
]
BOUNDED = [
    "UPDATE items SET n = 2 WHERE id = 7",
    "UPDATE items SET n = 2 WHERE items.id BETWEEN 1 AND 1000",
    "UPDATE items SET n = 2 WHERE (id) > (5) AND (id) <= (9)",
    "UPDATE items SET n = 2 WHERE code IN ('a', 'b')",
    "UPDATE items SET n = 2 WHERE id IN (SELECT id FROM items WHERE n IS NULL ORDER BY id LIMIT 100)",
    "INSERT INTO items (id, code) VALUES (1, 'x')",
    "CREATE TABLE others (id int); UPDATE others SET id = 1",
]


def found(site: Path, second: str, **attributes: object) -> list[tuple[str, str]]:
    """Rule and message of what is found in a second revision, squawk's rules left out."""
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source("d2", "d1", upgrade=f"op.execute({second!r})", **attributes),  # type: ignore[arg-type]
    }
    report = lint_branches(site, {"data": revisions})
    own = ("contract-unmarked", "backfill-in-one", "data-with-ddl", "expand-after-contract")
    return [(f.rule, f.message) for f in report.findings if f.revision == "d2" and f.rule in own]


@pytest.mark.parametrize(("statement", "said"), TAKES_AWAY)
def test_what_takes_something_away_has_to_be_marked(tmp_path: Path, statement: str, said: str) -> None:
    """Whatever older code may miss is found by the SQL that is sent; marked, it is left alone."""
    messages = [message for rule, message in found(tmp_path / "a", statement) if rule == "contract-unmarked"]
    assert len(messages) == 1
    assert said in messages[0]
    marked = found(tmp_path / "b", statement, phase="contract")
    assert [rule for rule, _ in marked if rule == "contract-unmarked"] == []


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_older_code_can_bear_is_no_contract(tmp_path: Path, statement: str) -> None:
    """Additions, wider types, loosened constraints, and all that is about what the same revision makes."""
    assert found(tmp_path, statement) == []


@pytest.mark.parametrize("statement", UNBOUNDED)
def test_a_backfill_in_one_is_found(tmp_path: Path, statement: str) -> None:
    """Nothing in it bounds a key of the table."""
    assert [rule for rule, _ in found(tmp_path, statement)] == ["backfill-in-one"]


@pytest.mark.parametrize("statement", BOUNDED)
def test_what_bounds_a_key_is_no_backfill_in_one(tmp_path: Path, statement: str) -> None:
    """Nor what a table of the same revision is filled with."""
    assert found(tmp_path, statement) == []


def test_data_and_ddl_are_told_apart_by_transactions(tmp_path: Path) -> None:
    """Both in one transaction are found; with a commit between them they are not."""
    ddl, data = "ALTER TABLE items ADD COLUMN x int", "UPDATE items SET x = 1 WHERE id = 1"
    assert [rule for rule, _ in found(tmp_path / "a", f"{ddl}; {data}")] == ["data-with-ddl"]
    upgrade = f"""\
op.execute({data!r})
with op.get_context().autocommit_block():
    op.execute("SELECT 1")
op.execute({ddl!r})"""
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source("d2", "d1", upgrade=upgrade),
    }
    report = lint_branches(tmp_path / "b", {"data": revisions}, exclude=frozenset({"prefer-bigint-over-int"}))
    assert [f.rule for f in report.findings if f.revision == "d2"] == []


def test_the_line_is_that_of_the_operation(tmp_path: Path) -> None:
    """Of a call that spans lines the first, in whatever function of the file it is."""
    upgrade = 'drop()\n\ndef drop():\n    op.drop_column(\n        "items",\n        "n",\n    )'
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source("d2", "d1", upgrade="drop()", head=upgrade.partition("\n\n")[2]),
    }
    report = lint_branches(tmp_path, {"data": revisions})
    (finding,) = (f for f in report.findings if f.rule == "contract-unmarked")
    assert finding.line is not None
    assert "op.drop_column(" in Path(finding.file).read_text().splitlines()[finding.line - 1]


def test_with_since_what_was_released_is_old_and_is_not_looked_at(tmp_path: Path) -> None:
    """A table that an unreleased revision makes is new for those behind it, and old once it was released."""
    revisions = {
        "1": revision_source("d1", upgrade='op.execute("CREATE TABLE t (id int PRIMARY KEY)")'),
        "2": revision_source("d2", "d1", upgrade='op.execute("CREATE TABLE u (id int PRIMARY KEY)")'),
        "3": revision_source("d3", "d2", upgrade='op.execute("DROP TABLE u; DROP TABLE t")'),
    }
    exclude = frozenset({"prefer-bigint-over-int"})

    def dropped(*since: str) -> list[str]:
        report = lint_branches(tmp_path, {"data": revisions}, since=since, exclude=exclude)
        return [finding.message for finding in report.findings]

    assert dropped() == ["drops table t", "drops table u"]
    assert dropped("d1") == ["drops table t"]
    assert dropped("data@d2") == ["drops table t", "drops table u"]
    assert dropped("d3") == []


def test_a_release_may_be_a_git_commit(tmp_path: Path) -> None:
    """What the tagged commit has in the folder was released with it."""
    first = {"1": revision_source("d1", upgrade='op.execute("CREATE TABLE t (id bigint PRIMARY KEY)")')}
    lint_branches(tmp_path, {"data": first})
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm one", "tag v1"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    second = {"2": revision_source("d2", "d1", upgrade='op.execute("DROP TABLE t")')}
    report = lint_branches(tmp_path, {"data": {**first, **second}}, since=("v1",))
    assert [finding.message for finding in report.findings] == ["drops table t"]
    assert report.checked == 1
    with pytest.raises(ConfigurationError, match="'v2' is neither a revision of data nor a git commit"):
        lint_branches(tmp_path, {"data": first}, since=("v2",))


def test_expand_after_a_released_contract_step_is_fine(tmp_path: Path) -> None:
    """The order is refused until an earlier release has brought the contract step."""
    revisions = {
        "1": revision_source("d1"),
        "2": revision_source("d2", "d1", phase="contract"),
        "3": revision_source("d3", "d2"),
    }
    (finding,) = lint_branches(tmp_path, {"data": revisions}).findings
    assert (finding.rule, finding.revision) == ("expand-after-contract", "d3")
    assert lint_branches(tmp_path, {"data": revisions}, since=("d2",)).findings == ()


def test_a_revision_that_inspects_is_looked_at_as_far_as_it_can_be(tmp_path: Path) -> None:
    """What it sends before is checked, what it drops behind is found in its source, and it is listed."""
    upgrade = """\
op.execute("UPDATE items SET n = 1")
if "items" in sa.inspect(op.get_bind()).get_table_names():
    op.drop_table("items")"""
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source("d2", "d1", upgrade=upgrade),
    }
    report = lint_branches(tmp_path, {"data": revisions}, exclude=frozenset({"prefer-bigint-over-int"}))
    assert [(f.rule, f.line) for f in report.findings if f.revision == "d2"] == [
        ("backfill-in-one", 13),
        ("contract-unmarked", 15),
    ]
    (one,) = report.not_rendered
    assert one.problem.where.file is not None
    assert one.problem.where.file.endswith("2.py:14")


IGNORED = """\
# corehost: ignore[contract-unmarked] nobody reads it
op.drop_column("items", "n")
op.drop_column(
    "items",
    "code",
)  # corehost: ignore[contract-unmarked, backfill-in-one]: gone since 1.2"""


def test_a_comment_with_a_reason_ignores(tmp_path: Path) -> None:
    """Above the statement or anywhere on it; the finding is kept with its reason."""
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source("d2", "d1", upgrade=IGNORED),
    }
    report = lint_branches(tmp_path, {"data": revisions})
    reasons = [f.ignored for f in report.findings if f.rule == "contract-unmarked"]
    assert reasons == ["nobody reads it", "gone since 1.2"]


def test_a_comment_outside_of_functions_is_for_the_file(tmp_path: Path) -> None:
    """One reason for many findings."""
    revisions = {
        "1": revision_source("d1", upgrade=FIRST),
        "2": revision_source(
            "d2",
            "d1",
            head="# corehost: ignore[contract-unmarked] a rewrite",
            upgrade='op.drop_column("items", "n")\nop.drop_table("items")',
        ),
    }
    report = lint_branches(tmp_path, {"data": revisions})
    reasons = [f.ignored for f in report.findings if f.rule == "contract-unmarked"]
    assert reasons == ["a rewrite", "a rewrite"]
