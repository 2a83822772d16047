"""A history that expects its newest schema to be made at once, then stamped: a mount's ``bootstrap``."""

from __future__ import annotations

import pytest

from support.ledger import REVISIONS
from support.packages import create_table, revision_source, write_plugin
from support.shop import Shop

MAKE_ALL = """
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table("pages", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text))


def create_all(connection):
    metadata.create_all(connection)
    connection.execute(sa.text("CREATE TABLE made (by text)"))
    connection.execute(sa.text("INSERT INTO made VALUES (current_schema())"))


def fails(connection):
    create_all(connection)
    raise RuntimeError("no")


def commits_and_dies(connection):
    import os, signal

    create_all(connection)
    connection.commit()
    os.kill(os.getpid(), signal.SIGKILL)


def commits_and_fails(connection):
    create_all(connection)
    connection.commit()
    raise RuntimeError("no")
"""
SETTINGS = """
[mounts.wiki]
migrations = "wiki:migrations"
bootstrap = "wiki.models:{function}"
requires = {requires}
"""
ADD_TITLE = 'op.add_column("pages", sa.Column("title", sa.Text))'


@pytest.fixture
def wiki(shop: Shop) -> Shop:
    """A mounted package with two revisions and a function that makes what they lead to."""
    write_plugin(
        shop.site,
        "wiki",
        revisions={
            "1": revision_source("w1", upgrade=create_table("pages")),
            "2": revision_source("w2", "w1", "accounts@accounts1", upgrade=ADD_TITLE),
        },
        files={"models.py": MAKE_ALL},
    )
    shop.install("accounts")
    configure(shop)
    return shop


def configure(shop: Shop, function: str = "create_all", requires: str = "[]") -> None:
    """Mount the package."""
    (shop.folder / "corehost.toml").write_text(SETTINGS.format(function=function, requires=requires))


def steps(shop: Shop) -> list[tuple[str, str, str]]:
    """What the ledger has of the wiki."""
    return shop.execute(
        "SELECT revision, action, outcome FROM corehost.step WHERE branch = 'wiki' ORDER BY id"
    )  # type: ignore[return-value]


def test_an_empty_namespace_is_made_at_once_and_stamped(wiki: Shop) -> None:
    """Three instances at once: the function is called by one, in the branch's schema, nothing else is run."""
    ended = [process.wait() for process in [wiki.start("migrate", "--json") for _ in range(3)]]
    assert [one.returncode for one in ended] == [0, 0, 0], [one.stderr for one in ended]
    assert wiki.execute("SELECT by FROM wiki.made") == [("wiki",)]
    assert wiki.execute("SELECT version_num FROM wiki.alembic_version") == [("w2",)]
    assert sorted(steps(wiki)) == [("w1", "bootstrap", "applied"), ("w2", "bootstrap", "applied")]
    applied = [step["revision"] for one in ended for step in one.json()["applied"]]
    assert sorted(applied) == [*REVISIONS, "accounts1", "w1", "w2"]


def test_later_revisions_run_as_ever(wiki: Shop) -> None:
    """What comes after the stamp is run by the history."""
    assert wiki.run("migrate").returncode == 0
    versions = wiki.site / "wiki" / "migrations" / "versions"
    (versions / "3.py").write_text(revision_source("w3", "w2", upgrade=create_table("links")))
    finished = wiki.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert [step["revision"] for step in finished.json()["applied"]] == ["w3"]
    assert wiki.has_table("wiki.links")


def test_a_namespace_that_is_not_empty_takes_the_history(wiki: Shop) -> None:
    """Somebody's table is there: the function is not called."""
    wiki.execute("CREATE SCHEMA wiki; CREATE TABLE wiki.theirs (id int)")
    finished = wiki.run("migrate")
    assert finished.returncode == 0, finished.stderr
    assert [action for _, action, _ in steps(wiki)] == ["upgrade", "upgrade"]
    assert not wiki.has_table("wiki.made")


def test_it_comes_after_all_that_any_of_it_needs(wiki: Shop) -> None:
    """The second revision needs accounts1: the function is not called before that is there."""
    assert wiki.run("migrate").returncode == 0
    order = wiki.execute("SELECT branch FROM corehost.step WHERE branch <> 'corehost' ORDER BY id")
    assert [branch for (branch,) in order] == ["accounts", "wiki", "wiki"]


def test_a_function_that_fails_leaves_nothing(wiki: Shop) -> None:
    """Exit 1 naming branch and reason; all it made is rolled back, and the next start calls it again."""
    configure(wiki, "fails")
    finished = wiki.run("migrate")
    assert finished.returncode == 1
    assert "RuntimeError: no" in finished.stderr
    assert not wiki.has_table("wiki.pages")
    configure(wiki)
    assert wiki.run("migrate").returncode == 0
    assert wiki.has_table("wiki.pages")


def test_one_that_commits_and_dies_is_in_doubt_as_what_it_is(wiki: Shop) -> None:
    """No revision is in doubt but the bootstrap: said to be applied, it is so with all it stands for."""
    configure(wiki, "commits_and_dies")
    assert wiki.run("migrate").returncode == -9
    finished = wiki.run("migrate")
    assert finished.returncode == 5
    assert "the bootstrap is in doubt" in finished.stderr
    assert "corehost resolve wiki w1" in finished.stderr
    resolved = wiki.run("resolve", "wiki", "w1", "--applied")
    assert resolved.returncode == 0, resolved.stderr
    assert wiki.execute("SELECT version_num FROM wiki.alembic_version") == [("w2",)]
    assert {(one, outcome) for one, _, outcome in steps(wiki)} == {("w1", "applied"), ("w2", "applied")}
    assert wiki.run("check").returncode == 0


def test_one_that_commits_and_fails_says_how_to_go_on(wiki: Shop) -> None:
    """What it made is still there: taken back and said to be rolled back, it is called again."""
    configure(wiki, "commits_and_fails")
    finished = wiki.run("migrate")
    assert finished.returncode == 1
    assert "the bootstrap failed: RuntimeError: no" in finished.stderr
    assert "corehost resolve wiki w1" in finished.stderr
    wiki.execute("DROP TABLE wiki.pages; DROP TABLE wiki.made")
    assert wiki.run("resolve", "wiki", "w1", "--rolled-back").returncode == 0
    configure(wiki)
    assert wiki.run("migrate").returncode == 0
    assert wiki.has_table("wiki.made")


def test_what_waits_for_a_part_of_itself_is_refused(wiki: Shop) -> None:
    """Made at once, it cannot come after a branch that comes after a part of it: exit 2."""
    versions = wiki.site / "accounts" / "migrations" / "versions"
    (versions / "accounts1.py").write_text(
        revision_source("accounts1", None, "wiki@w1", upgrade=create_table("accounts"))
    )
    finished = wiki.run("plan")
    assert finished.returncode == 2
    assert "bootstrap" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_function_that_is_not_there_is_named(wiki: Shop) -> None:
    """The line says which setting names what."""
    configure(wiki, "nothing")
    finished = wiki.run("migrate")
    assert finished.returncode in (1, 2)
    assert "bootstrap 'wiki.models:nothing' names 'nothing', which is not there" in finished.stderr


def test_a_history_of_one_revision_is_made_at_once_too(wiki: Shop) -> None:
    """The function is called instead of it, as of any longer one."""
    (wiki.site / "wiki" / "migrations" / "versions" / "2.py").unlink()
    finished = wiki.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert wiki.has_table("wiki.made")
    assert steps(wiki) == [("w1", "bootstrap", "applied")]


def test_a_pass_for_what_needs_a_part_of_it_makes_all_of_it(wiki: Shop) -> None:
    """blog needs w1 only: at once there is no part, and all that any of it needs comes first."""
    wiki.install("blog", {"1": revision_source("blog1", None, "wiki@w1", upgrade=create_table("blog"))})
    finished = wiki.run("migrate", "--branch", "blog", "--json")
    assert finished.returncode == 0, finished.stderr
    applied = [step["revision"] for step in finished.json()["applied"]]
    assert applied == [*REVISIONS, "accounts1", "w1", "w2", "blog1"]


def test_a_line_that_the_target_leaves_out_does_not_matter(wiki: Shop) -> None:
    """A second base, which nobody wants, is pending for nobody: the wanted line is made at once."""
    versions = wiki.site / "wiki" / "migrations" / "versions"
    (versions / "x.py").write_text(revision_source("x1", upgrade=create_table("extra")))
    with (wiki.folder / "corehost.toml").open("a") as file:
        file.write('target = "w2"\n')
    finished = wiki.run("migrate", "--json")
    assert finished.returncode == 0, finished.stderr
    assert steps(wiki) == [("w2", "bootstrap", "applied"), ("w1", "bootstrap", "applied")]
    assert not wiki.has_table("wiki.extra")


def test_the_function_may_take_a_role(wiki: Shop) -> None:
    """One that has no right to write the ledger; the stamp is corehost's own."""
    models = wiki.site / "wiki" / "models.py"
    models.write_text(
        MAKE_ALL
        + """
def as_another(connection):
    connection.execute(sa.text("GRANT ALL ON SCHEMA wiki TO pg_monitor"))
    connection.execute(sa.text("SET ROLE pg_monitor"))
    create_all(connection)
"""
    )
    configure(wiki, "as_another")
    finished = wiki.run("migrate")
    assert finished.returncode == 0, finished.stderr
    assert len(steps(wiki)) == 2
