"""What single revision files do that a host should know of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corehost.doctor import TreeReport
from support.examined import codes

Upgrade = Callable[..., TreeReport]

SHOWN = {
    "schema": ("fixed-schema", 'op.create_table("t", schema="wiki")'),
    "public as a schema": ("fixed-schema", 'op.drop_index("t", table_schema="public")'),
    "public in SQL": ("public-in-sql", 'op.execute("UPDATE public.users SET id = 1")'),
    "engine": ("own-engine", 'sa.create_engine("postgresql://").connect()'),
    "session of an engine": ("own-engine", "sa.orm.Session(bind=ENGINE).execute(sa.text('SELECT 1'))"),
    "application's session": ("own-engine", "db.session.execute(sa.text('SELECT 1'))"),
    "commit": ("commits", "sa.orm.Session(bind=op.get_bind()).commit()"),
    "COMMIT": ("commits", 'op.execute("COMMIT")'),
    "autocommit_block": ("autocommit-block", "with op.get_context().autocommit_block():\n    pass"),
    "concurrently": ("concurrently", 'op.create_index("i", "t", ["a"], postgresql_concurrently=True)'),
    "CONCURRENTLY": ("concurrently", 'op.execute("CREATE INDEX CONCURRENTLY i ON t (a)")'),
    "extension": ("extension", 'op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")'),
    "x argument": ("x-argument", 'context.get_x_argument(as_dictionary=True).get("srid")'),
    "x argument by a name": ("x-argument", 'x = context.get_x_argument(True)\nprint(x["srid"])'),
    "option": ("option", 'context.config.get_main_option("srid")'),
    "option of a section": ("option", 'context.config.get_section_option("alembic", "srid")'),
    "option of env.py": ("env-option", 'print(op.get_context().opts["profile"])'),
    "attribute of env.py": ("env-option", 'print(context.config.attributes["profile"])'),
    "target_metadata": ("uses-metadata", 'print(op.get_context().opts["target_metadata"])'),
    "current_app": ("application-context", "from flask import current_app"),
    "missing import": ("missing-import", "import nowhere_at_all"),
}
QUIET = {
    "nothing": "pass",
    "session of the step": "bind = op.get_bind()\nsession = sa.orm.Session(bind=bind)\nsession.flush()",
    "sessionmaker": "sa.orm.sessionmaker()(bind=op.get_bind()).flush()",
    "column called public": 'op.drop_column("t", "public")',
    "talk of public": 'print("public.json is not there")',
    "talk of an end": 'print("end")',
    "nothing concurrent": 'op.create_index("i", "t", ["a"], postgresql_concurrently=False)',
    "import that may be missing": "try:\n    import nowhere_at_all\nexcept ImportError:\n    pass",
}


@pytest.mark.parametrize(("code", "body"), SHOWN.values(), ids=SHOWN)
def test_it_is_noticed(upgrade: Upgrade, code: str, body: str) -> None:
    """What an upgrade does is found, with its file and line."""
    report = upgrade(body)
    (finding, *_) = (finding for finding in report.findings if finding.code == code)
    assert finding.file is not None
    assert finding.file.endswith("0001.py")
    assert finding.line is not None


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET)
def test_what_is_harmless_is_not(upgrade: Upgrade, body: str) -> None:
    """An upgrade that does nothing of note has no finding, and corehost hosts its tree as it is."""
    report = upgrade(body)
    assert codes(report) == set()
    assert report.verdict == "hosts"
    assert report.mount == {"migrations": "guestbook:migrations"}


def test_downgrades_do_not_matter(upgrade: Upgrade) -> None:
    """What only a downgrade does is not told."""
    assert codes(upgrade("pass", 'def downgrade_data():\n    op.execute("COMMIT")\n')) == set()


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (
            'op.execute("CREATE EXTENSION \\"uuid-ossp\\"")\nop.execute("create extension citext")',
            ["citext", "uuid-ossp"],
        ),
    ],
)
def test_extensions_are_put_into_the_mount(upgrade: Upgrade, body: str, keys: list[str]) -> None:
    """Each extension that is created becomes one of the mount."""
    report = upgrade(body)
    assert report.mount["extensions"] == keys
    assert report.verdict == "hosts with"


def test_one_schema_that_is_written_into_files_is_the_mounts(upgrade: Upgrade) -> None:
    """Where every literal schema is the same, the mount says it."""
    assert upgrade('op.create_table("t", schema="wiki")').mount["schema"] == "wiki"


def test_several_schemas_are_nobodys(upgrade: Upgrade) -> None:
    """Where literal schemas differ, the mount's stays its own."""
    report = upgrade('op.create_table("t", schema="wiki")\nop.create_table("t", schema="blog")')
    assert "schema" not in report.mount


@pytest.mark.parametrize(("table", "schema"), [("users", "public"), ("elsewhere", None)])
def test_sql_that_names_own_tables_in_public(upgrade: Upgrade, table: str, schema: str | None) -> None:
    """A tree whose SQL says public. of a table that it makes is mounted there; of others it is not."""
    body = f'op.create_table("users")\nop.execute("UPDATE public.{table} SET id = 1")'
    assert upgrade(body).mount.get("schema") == schema


def test_x_arguments_and_options_are_to_be_completed(upgrade: Upgrade) -> None:
    """What somebody has to give a value is proposed, and is no key of the mount."""
    body = 'context.get_x_argument(True).get("srid")\ncontext.config.get_main_option("flavour")'
    report = upgrade(body, "from alembic import context")
    assert set(report.proposals) == {'x_arguments = { srid = "..." }', 'options = { flavour = "..." }'}
    assert report.mount.keys() == {"migrations"}
    assert report.verdict == "hosts with"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def upgrade(engine_name):\n    pass\n", "upgrade-arguments"),
        ("async def upgrade():\n    pass\n", "upgrade-arguments"),
        ("def downgrade():\n    pass\n", "no-upgrade"),
    ],
)
def test_upgrade_that_cannot_be_called_is_refused(
    tree: Callable[..., TreeReport], source: str, code: str
) -> None:
    """A revision without an upgrade that takes nothing is an error."""
    report = tree({"0001": f'revision = "0001"\ndown_revision = None\n{source}'})
    assert code in codes(report)
    assert report.verdict == "refuses"
